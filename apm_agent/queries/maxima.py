"""Where the slowest transactions are, from what the rollups say was the longest: days first, then what is in them.

Of a long window only the days are read at once, and the hours of a day when it is its turn: the maximum of a day is
that of one of its hours. An hour with many transactions is cut into minutes the same way, as long as those are kept.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterator
from typing import NamedTuple

from apm_agent.queries.connection import Connection
from apm_agent.queries.scope import select
from apm_agent.queries.window import ROLLUPS, Piece, Window, cover

#: From two days on (seconds) whole days are read first: of less, all hours are read as soon as those that matter,
#: unless only a few transactions are wanted.
_LONG, _FEW = 2 * 86400, 20
#: An hour with more transactions costs more to read than to seek its sixty minutes.
_CROWDED = 300


class Cell(NamedTuple):
    """An endpoint in a minute, hour or day that has not been looked into; the order is the one they come in."""

    below: int
    """the longest, negative"""
    finer: int
    """the resolution, negative"""
    t: int
    endpoint: int
    calls: int

    @property
    def longest_ns(self) -> int:
        return -self.below

    @property
    def resolution(self) -> int:
        return -self.finer


def descending(
    connection: Connection,
    window: Window,
    releases: tuple[int, ...] | None,
    endpoints: Collection[int],
    limit: int,
) -> Iterator[Cell]:
    """Minutes and hours in which there are transactions, those first that hold the longest one; so many are wanted."""
    only = next(iter(endpoints)) if len(endpoints) == 1 else None
    columns = "duration_max_ns, resolution, t, endpoint_id, count"
    sql, parameters = select("rollups", columns, _first(window, limit), releases, only)
    rows = connection.rows(
        "SELECT -max(duration_max_ns), -resolution, t, endpoint_id, sum(count)"
        f" FROM ({sql}) GROUP BY resolution, t, endpoint_id",
        parameters,
    )
    cells = [row for row in rows if row[3] in endpoints]
    heapq.heapify(cells)
    while cells:
        cell = Cell(*heapq.heappop(cells))
        parts = _parts(connection, cell, window, releases)
        if parts is None:
            yield cell
        for part in parts or ():
            heapq.heappush(cells, part)


def _first(window: Window, limit: int) -> list[Piece]:
    """What is read at once: coarse cells where few of them will be looked into, also those that the edges cut."""
    days, few = window.seconds >= _LONG, limit <= _FEW
    if days or few:
        level = ROLLUPS[2] if days or window.seconds >= ROLLUPS[2] else ROLLUPS[1]
        if window.seconds >= level:
            return [(level, window.start // level * level, -(-_end(window) // level) * level)]
    return window.pieces(ROLLUPS[:2])


def _end(window: Window) -> int:
    """The running day, hour and minute are as current as each other."""
    return (math.floor(window.end) // 86400 + 1) * 86400 if window.open else math.ceil(window.end / 60) * 60


def _parts(
    connection: Connection, cell: Cell, window: Window, releases: tuple[int, ...] | None
) -> list[Cell] | None:
    """The same in finer cells; None where it is to be looked into as it is."""
    finer = ROLLUPS[: ROLLUPS.index(cell.resolution)]
    low, high = max(cell.t, window.start), min(cell.t + cell.resolution, _end(window))
    cut = high - low < cell.resolution
    if not finer or (cell.resolution == ROLLUPS[1] and cell.calls <= _CROWDED and not cut):
        return None
    span = cover(low, high, finer) if cut else [(finer[-1], low, high)]
    sql, parameters = select(
        "rollups", "resolution, t, duration_max_ns, count", span, releases, cell.endpoint
    )
    rows = connection.rows(
        f"SELECT -max(duration_max_ns), -resolution, t, sum(count) FROM ({sql}) GROUP BY resolution, t",
        parameters,
    )
    if not cut and sum(row[3] for row in rows) < cell.calls:
        return None  # not kept of all of it
    return [Cell(below, level, t, cell.endpoint, calls) for below, level, t, calls in rows]
