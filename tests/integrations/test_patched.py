"""R12: what is patched in frameworks and loggers stays what it was to whoever looks, and is put back exactly."""

from __future__ import annotations

import importlib
import inspect
import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from apm_agent.instruments import INSTRUMENTS, patching
from apm_agent.instruments.rows import Attached

NAMES = (
    "bottle", "falcon", "pyramid", "quart", "aiohttp_server", "tornado", "sanic", "logging", "structlog", "loguru",
    "opentelemetry",
)  # fmt: skip
ROWS = [row for name in NAMES for row in importlib.import_module(INSTRUMENTS[name][0]).PATCHES]
TARGETS = [row.target for row in ROWS if not isinstance(row, Attached)]


def loaded(module: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about Python, as they are imported
        return importlib.import_module(module)


def raw(target: str) -> Any:
    """What lies in the place, untouched by binding."""
    module, _, path = target.partition(":")
    found = loaded(module)
    *above, last = path.split(".")
    for part in above:
        found = getattr(found, part)
    return inspect.getattr_static(found, last)


@pytest.fixture
def originals() -> Iterator[dict[str, Any]]:
    """Every original, with our rows over them meanwhile."""
    for row in ROWS:
        loaded(row.target.partition(":")[0])
    before = {target: raw(target) for target in TARGETS}
    patching.apply(set(INSTRUMENTS) - set(NAMES))
    try:
        yield before
    finally:
        patching.remove()


def test_r12_all_are_placed(originals: dict[str, Any]) -> None:
    states = {name: (state, detail) for name, state, detail in patching.states() if name in NAMES}
    assert set(states.values()) == {("patched", "")}, states


@pytest.mark.parametrize("target", TARGETS)
def test_r12_kind_signature_names_and_pickle_stay(target: str, originals: dict[str, Any]) -> None:
    original, found = originals[target], raw(target)
    assert found is not original
    assert isinstance(found, type(original))
    assert inspect.signature(found) == inspect.signature(original)
    for kind in (
        inspect.isfunction, inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction,
    ):  # fmt: skip
        assert kind(found) == kind(original)
    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        assert getattr(found, name) == getattr(original, name)
    if inspect.isfunction(original):
        assert inspect.getfullargspec(found) == inspect.getfullargspec(original)
        assert pickle.loads(pickle.dumps(found)) is found


def test_r12_all_are_put_back(originals: dict[str, Any]) -> None:
    patching.remove()
    for target, original in originals.items():
        assert raw(target) is original, target
