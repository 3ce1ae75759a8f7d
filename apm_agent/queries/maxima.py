"""Where the slowest transactions are, from what the rollups say was the longest: days first, then what is in them.

Of a long window only the days are read at once, and the hours of a day when it is its turn: the maximum of a day is
that of one of its hours. An hour with many transactions is cut into minutes the same way, as long as those are kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from typing import NamedTuple

from apm_agent.queries.connection import Connection
from apm_agent.queries.scope import select
from apm_agent.queries.window import ROLLUPS, Window

#: From two days on (seconds) whole days are read first: of less, all hours are read as soon as the few that matter.
_LONG = 2 * 86400
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
    connection: Connection, window: Window, releases: tuple[int, ...] | None, endpoints: Collection[int]
) -> Iterator[Cell]:
    """Minutes and hours in which there are transactions, those first that hold the longest one."""
    levels = ROLLUPS if window.seconds >= _LONG else ROLLUPS[:2]
    only = next(iter(endpoints)) if len(endpoints) == 1 else None
    columns = "duration_max_ns, resolution, t, endpoint_id, count"
    sql, parameters = select("rollups", columns, window.pieces(levels), releases, only)
    rows = connection.rows(
        "SELECT -max(duration_max_ns), -resolution, t, endpoint_id, sum(count)"
        f" FROM ({sql}) GROUP BY resolution, t, endpoint_id",
        parameters,
    )
    cells = [Cell(*row) for row in rows if row[3] in endpoints]
    heapq.heapify(cells)
    while cells:
        cell = heapq.heappop(cells)
        parts = _parts(connection, cell, releases) if _is_coarse(cell) else []
        if not parts:
            yield cell
        for part in parts:
            heapq.heappush(cells, part)


def _is_coarse(cell: Cell) -> bool:
    return cell.resolution > ROLLUPS[1] or (cell.resolution == ROLLUPS[1] and cell.calls > _CROWDED)


def _parts(connection: Connection, cell: Cell, releases: tuple[int, ...] | None) -> list[Cell]:
    """The same by the next finer level; none where that is not kept of all of it."""
    finer = ROLLUPS[ROLLUPS.index(cell.resolution) - 1]
    span = (finer, cell.t, cell.t + cell.resolution)
    sql, parameters = select("rollups", "t, duration_max_ns, count", [span], releases, cell.endpoint)
    rows = connection.rows(f"SELECT -max(duration_max_ns), t, sum(count) FROM ({sql}) GROUP BY t", parameters)
    if sum(row[2] for row in rows) < cell.calls:
        return []
    return [Cell(below, -finer, t, cell.endpoint, count) for below, t, count in rows]
