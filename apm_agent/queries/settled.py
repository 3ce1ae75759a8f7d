"""What rows of the past say is read once and remembered; of an open window only the last minutes are read again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

from apm_agent.queries.connection import Connection
from apm_agent.queries.memory import Memory
from apm_agent.queries.rollups import KEEP, SETTLED
from apm_agent.queries.window import Window

_Found = TypeVar("_Found")

#: Questions whose past is remembered: each may hold the figures of two hundred thousand rows.
_memory = Memory(16)
#: Of the same questions, what follows up to this many seconds ago, where most calls that began are over.
_recent = Memory(16)
_JUST_NOW = 30


class _Past(NamedTuple):
    """What was read up to a time (Unix seconds), when the first of it was (monotonic seconds), what it leaves out."""

    border: int
    read_at: float
    found: Any
    partial: str


def settled(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    key: tuple[Hashable, ...],
    read: Callable[[int, int], _Found],
    join: Callable[[_Found, _Found], _Found],
    unit: int = 60,
) -> _Found:
    """What `read` says of the window's rows (from and to in ns), put together by `join` from the past and the rest.

    Neither may change what it was given. The past grows by whole `unit`s, counted from the window's start, without
    being read again; after `KEEP` seconds it is, should something older have come in after all.
    """
    end = None if window.open else window.end_ns // 10**9
    until = math.floor(time.time() - SETTLED - 1)
    if end is not None:
        until = min(until, end)
    border = window.start + (until - window.start) // unit * unit
    if border <= window.start:
        return read(window.start_ns, window.end_ns)
    key = (*key, window.start, end, unit)
    past = _past(connection, key, window.start, border, read, join)
    if border == end:
        return past
    near = window.start + (math.floor(time.time() - _JUST_NOW) - window.start) // unit * unit
    if end is None and near > border and connection.mirror is None:
        past, border = join(past, _lately(connection, key, border, near, read)), near
    return join(past, read(border * 10**9, window.end_ns))


def _lately(
    connection: Connection,
    key: tuple[Hashable, ...],
    start: int,
    end: int,
    read: Callable[[int, int], _Found],
) -> _Found:
    """What a time says to which a call may still come that took long; read again when one has come, or one has gone."""
    signs = connection.row(
        "SELECT count(*), min(started_at) FROM transactions WHERE started_at >= ? AND started_at < ?",
        (start * 10**9, end * 10**9),
    )
    whole = (connection.path, connection.identity, *key)
    known = _recent.get(whole)
    if known is None or known[0] != (start, end, signs):
        known = (start, end, signs), read(start * 10**9, end * 10**9)
        _recent.put(whole, known, KEEP)
    return known[1]  # type: ignore[no-any-return]


def _past(  # noqa: PLR0917
    connection: Connection,
    key: tuple[Hashable, ...],
    start: int,
    border: int,
    read: Callable[[int, int], _Found],
    join: Callable[[_Found, _Found], _Found],
) -> _Found:
    whole = (connection.path, connection.identity, *key)
    now = time.monotonic()
    known: _Past | None = _memory.get(whole)
    if known is None or known.border > border:
        found, partial = _read(connection, start, border, read)
        known = _Past(border, now, found, partial)
    elif known.border < border:
        more, partial = _read(connection, known.border, border, read)
        known = _Past(border, known.read_at, join(known.found, more), partial or known.partial)
    else:
        connection.partial = known.partial or connection.partial
        return known.found  # type: ignore[no-any-return]
    connection.partial = known.partial or connection.partial
    _memory.put(whole, known, known.read_at + KEEP - now)
    return known.found  # type: ignore[no-any-return]


def _read(
    connection: Connection, start: int, end: int, read: Callable[[int, int], _Found]
) -> tuple[_Found, str]:
    """What a part of the past says, and what it leaves out, of a store that is drawn from elsewhere."""
    before, connection.partial = connection.partial, ""
    found = read(start * 10**9, end * 10**9)
    partial, connection.partial = connection.partial, before
    return found, partial


def forget() -> None:
    """Read all of it anew."""
    _memory.clear()
    _recent.clear()
