"""What the tests of clients share: what was seen of a call, and that callables are what they were, and back again."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Collection
from types import FunctionType
from typing import Any

from apm_agent.instruments import patching


def tags_of(span: Any) -> dict[str, Any]:
    """What is kept of it, with what reading its rows added."""
    found = dict(span.tags or {})
    if span.fetched is not None:
        found |= span.fetched.tags(span.end_ns - span.start_ns)
    return found


def seen(spans: list[Any], system: str, *files: str) -> list[tuple[str, int | None]]:
    """What was run, and the rows; each by the system, and asked for by a line of these files."""
    assert {span.tags["system"] for span in spans} <= {system}
    if files:
        assert {(span.kind, span.parent) for span in spans} <= {("db", None)}
        assert {span.place[0].co_filename if span.place else "" for span in spans} <= set(files)
    return [(span.statement or span.name, tags_of(span).get("rows")) for span in spans]


def assert_rows_are_its_time(span: Any, rows: int) -> None:
    """Its rows came after the call, and so did the first of them."""
    tags, ran = tags_of(span), span.end_ns - span.start_ns
    assert tags["rows"] == rows
    assert 0 < ran < tags["first_row_ns"] <= ran + tags["fetch_ns"]
    assert span.until_ns == span.end_ns + tags["fetch_ns"]


def assert_same_and_back(
    owners: Collection[Any],
    count: int,
    *asks: Callable[[Any], object],
    unpicklable: Collection[str] = (),
) -> None:
    """So many attributes of the owners are patched, say the same of themselves, and are the very objects again."""
    before = {owner: _functions_of(owner) for owner in owners}
    own = {owner: set(vars(owner)) for owner in owners}
    patching.apply()
    try:
        changed = [
            (owner, name, was)
            for owner in owners
            for name, was in before[owner].items()
            if vars(owner).get(name, was) is not was
        ]
        assert len(changed) == count, [name for _, name, _ in changed]
        for owner, name, was in changed:
            now, old = getattr(owner, name), was
            if isinstance(owner, type) and hasattr(was, "__get__"):
                old = was.__get__(None, owner)
            for ask in (inspect.signature, inspect.isfunction, *asks):
                assert ask(now) == ask(old), (owner, name, ask)
            if name not in unpicklable:
                found = pickle.loads(pickle.dumps(now))
                assert found == now or found.__qualname__ == now.__qualname__  # what was bound is bound anew
    finally:
        patching.remove()
    assert all(_functions_of(owner)[name] is was for owner, name, was in changed)
    assert all(set(vars(owner)) == own[owner] for owner in owners)


def _functions_of(owner: Any) -> dict[str, Any]:
    """What lies there, and what is inherited that is written in Python."""
    found: dict[str, Any] = {}
    for holder in reversed(owner.__mro__) if isinstance(owner, type) else ():
        found |= {name: one for name, one in vars(holder).items() if isinstance(one, FunctionType)}
    return {**found, **vars(owner)}
