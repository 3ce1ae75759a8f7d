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
    past = _past(connection, (*key, window.start, end, unit), window.start, border, read, join)
    if border == end:
        return past
    return join(past, read(border * 10**9, window.end_ns))


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
