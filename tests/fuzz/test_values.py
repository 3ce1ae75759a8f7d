"""Whatever an application tags a span with or adds as context: nothing reaches it back, and what is kept is plain."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apm_agent.config import Config
from apm_agent.insights import INSIGHTS
from apm_agent.model.origin import Origin
from apm_agent.model.transaction import Transaction
from apm_agent.recording.digest import Digest
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.blocks import span
from apm_agent.tracing.current import current
from apm_agent.tracing.tracer import Tracer
from apm_agent.tracing.verbs import add_context, rename_transaction
from records import process


class Hostile(str):
    """A text, and all that one can ask an object raises: what asks, other than for its characters, is seen."""

    __slots__ = ()

    def _raise(self, *_: Any) -> Any:
        raise RuntimeError("asked")

    __bool__ = __len__ = __iter__ = __contains__ = __eq__ = __getitem__ = _raise  # type: ignore[assignment]
    __str__ = __repr__ = __format__ = __add__ = encode = strip = lower = _raise  # type: ignore[assignment]

    def __hash__(self) -> int:
        raise RuntimeError("asked")


class Object:
    """Answers nothing."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("asked")


def built(value: Any) -> Any:
    """The value with what nobody can print, Hypothesis neither, in the places kept for it."""
    if isinstance(value, (list, tuple)):
        return type(value)([built(inner) for inner in value])
    if isinstance(value, dict):
        return {key: built(inner) for key, inner in value.items()}
    if value == "<hostile>":
        return Hostile("text")
    return endless() if value == "<endless>" else Object() if value == "<object>" else value


def endless() -> dict[str, Any]:
    made: dict[str, Any] = {"a": 1}
    made["self"], made["list"] = made, [made]
    return made


LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.binary(max_size=20),
    st.sampled_from([10**400, float("nan"), "\ud800", "x" * 100_000, "\x00", 1j, ..., object, len]),
    st.sampled_from(["<object>", "<hostile>", "<endless>"]),
    st.datetimes(), st.decimals(), st.uuids(), st.sets(st.integers(), max_size=3),
)  # fmt: skip
ANYTHING = st.recursive(
    LEAF,
    lambda inside: st.one_of(
        st.lists(inside, max_size=4),
        st.tuples(inside, inside),
        st.dictionaries(st.text(max_size=10) | st.integers() | st.none(), inside, max_size=4),
    ),
    max_leaves=8,
)
KEYS = st.text(max_size=20) | st.sampled_from(["password", "\ud800", "a" * 5000, "", "\x00"])


@settings(max_examples=15, deadline=None)
@given(
    tags=st.dictionaries(KEYS, ANYTHING, max_size=5), context=st.dictionaries(KEYS, ANYTHING, max_size=5), name=LEAF
)  # fmt: skip
def test_r39_any_value_is_kept_plain_or_left_out(
    tags: dict[str, Any], context: dict[str, Any], name: Any
) -> None:
    ended: list[Transaction] = []
    tags, context = built(tags), built(context)
    before, tracing.tracer = tracing.tracer, Tracer(sink=ended.append)
    try:
        made = tracing.tracer.begin("web", "GET /orders")
        add_context(**context)
        with span("work", **{f"k{key}": value for key, value in tags.items()}) as opened:
            opened.tag(**{f"t{key}": value for key, value in tags.items()})
        if isinstance(name, str) and type(name) is str:
            rename_transaction(name)
        tracing.tracer.end(made, None)
    finally:
        tracing.tracer = before
        current.set(None)
    record = Digest(Config(slow=0.0), Origin(), INSIGHTS).digest(ended[0])
    with tempfile.TemporaryDirectory(prefix="apm-fuzz-") as folder:
        path = Path(folder) / "apm.db"
        store = SQLiteStore(str(path), process())
        store.write([record])
        store.close()
        with closing(sqlite3.connect(path)) as raw:
            [(kept,)] = raw.execute("SELECT context FROM transactions")
    assert kept is None or (len(kept) <= 4000 and isinstance(json.loads(kept), dict))
