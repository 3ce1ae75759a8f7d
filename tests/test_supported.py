"""docs/supported.md says what the code says, and the versions are of libraries that the tests install."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from apm_agent.instruments import INSTRUMENTS
from apm_agent.instruments.rows import Attached
from apm_agent.instruments.support import GROUPS, Support

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[1]


#: Hooks that are arguments of the library's own functions, so that these are patched to give them.
HOOKS_BY_ARGUMENT = {
    "apm_agent/instruments/psycopg2.py", "apm_agent/instruments/sqlite3.py", "apm_agent/integrations/grpc_server.py",
}  # fmt: skip


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("supported", ROOT / "docs" / "supported.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


supported = load()
SAID: dict[str, Support] = supported.supported()
FILES = {name: file.replace(".", "/") + ".py" for name, (file, *_) in INSTRUMENTS.items()}


def test_the_page_is_what_the_code_says() -> None:
    assert supported.PAGE.read_text() == supported.page(), (
        "docs/supported.md differs from the code; run: make docs"
    )


def test_what_is_written_by_hand_stays() -> None:
    assert "## What is not, and why" in supported.page().partition(supported.BEGIN)[0]


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_instrument_is_on_the_page(name: str) -> None:
    assert FILES[name] in SAID, f"{FILES[name]} has no SUPPORT"


def test_the_frameworks_with_a_file_of_their_own_are_on_the_page() -> None:
    for name in (
        "wsgi",
        "asgi",
        "flask",
        "starlette",
        "fastapi",
        "django/middleware",
        "quart",
        "auto",
        "uwsgi",
    ):
        assert f"apm_agent/integrations/{name}.py" in SAID


@pytest.mark.parametrize("file", SAID)
def test_a_line_is_whole_and_the_constant_is_what_is_read(file: str) -> None:
    one = SAID[file]
    assert one.group in GROUPS
    for cell in (one.library, one.how, one.recorded):
        assert cell.strip() == cell != ""
        assert "\n" not in cell
    if not file.startswith("apm_agent/integrations/django/"):  # which need a site that is set up
        assert one == importlib.import_module(file[: -len(".py")].replace("/", ".")).SUPPORT


def rows_of(file: str) -> list[Any]:
    return list(importlib.import_module(file[: -len(".py")].replace("/", ".")).PATCHES)


@pytest.mark.parametrize("file", sorted(set(FILES.values())))
def test_a_patch_is_called_a_patch_and_a_hook_a_hook(file: str) -> None:
    how, rows = SAID[file].how, rows_of(file)
    if "patch of" in how:
        assert any(not isinstance(row, Attached) for row in rows)
        named = re.findall(r"`([\w.]+)`", how.partition("patch of")[2].partition("; ")[0])
        source = (ROOT / file).read_text()
        for name in named:
            assert name.rpartition(".")[2] in source, f"{how!r} names {name}, which is not in the file"
    elif "as " not in how:
        assert any(isinstance(row, Attached) for row in rows) or file in HOOKS_BY_ARGUMENT, how


def test_versions_are_of_every_library_and_no_other_oldest_first() -> None:
    known = supported.tested()
    assert {file: set(of) for file, of in known.items()} == {
        file: set(one.distributions) for file, one in SAID.items() if one.distributions
    }
    for file, distributions in known.items():
        for name, versions in distributions.items():
            assert versions, (file, name)
            assert versions == sorted(set(versions), key=supported.number), (file, name)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;(]", name, maxsplit=1)[0]).lower()


def test_every_library_with_a_version_is_installed_by_the_tests() -> None:
    """Named in pyproject, or needed by what is; arq is installed by itself, see the Makefile."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    todo = [plain(line) for line in (*project["dependencies"], *extras)] + ["arq"]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            try:
                todo += [plain(line) for line in requires(name) or ()]
            except PackageNotFoundError:
                continue
    for one in SAID.values():
        assert {plain(name) for name in one.distributions} <= found, one.library
