"""A window cut into equal cells of time, for sparklines, series and heatmaps.

Cells lie on a grid of absolute times and one that has ended stays as it is: it is worked out once in a
process and remembered, which is what keeps a page that refreshes itself cheap.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from apm_agent.queries.connection import Connection
from apm_agent.queries.latency import Column, merged, percentiles
from apm_agent.queries.memory import Memory
from apm_agent.queries.rollups import KEEP, SETTLED
from apm_agent.queries.scope import Scope, select
from apm_agent.queries.units import ms
from apm_agent.queries.window import Window

_STEPS = (60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 14400, 18000, 21600, 43200, 86400)

#: How long minutes are kept, nearly: cells of an older window are made of hours.
_MINUTES_KEPT = 8 * 86400 - 7200

_SUMS = (
    "count, errors, duration_ns, db_ns, http_ns, template_ns, cache_ns, wait_ns, gc_ns, queue_ns,"
    " rss_bytes, rss_count"
)
_WIDTH = 12
#: Of so many endpoints a sparkline is read by itself.
_FEW = 30


class Grid(NamedTuple):
    """Cells of `step` seconds from `first` on."""

    first: int
    step: int
    cells: int

    @property
    def resolution(self) -> int:
        """The coarsest rollup that fits the cells."""
        return 3600 if self.step % 3600 == 0 else 60

    @property
    def starts(self) -> list[int]:
        return [self.first + number * self.step for number in range(self.cells)]


class Cell(NamedTuple):
    """Sums in the order of `_SUMS`, durations by bucket, and p50, p95, p99 in ms."""

    sums: tuple[int, ...]
    column: Column
    percentiles: tuple[float | None, float | None, float | None]


EMPTY = Cell((0,) * _WIDTH, Column({}), (None, None, None))


def grid_of(window: Window, most: int) -> Grid:
    """At most `most` cells (and one, where the window's edges cut two) that cover the window."""
    least = 3600 if time.time() - window.start > _MINUTES_KEPT else 60
    step = next((step for step in _STEPS if step >= least and window.seconds <= step * most), 0)
    if not step:
        step = math.ceil(window.seconds / most / 86400) * 86400
    first = window.start // step * step
    return Grid(first, step, max(1, math.ceil((window.end - first) / step)))


def sparks(
    connection: Connection, window: Window, scope: Scope, points: int
) -> dict[int, list[float | None]]:
    """p95 in ms by endpoint, at `points` moments of the window; only the scope's endpoints are read."""
    grid = grid_of(window, points)
    key = ("spark", connection.path, connection.identity, scope.releases, grid.step)
    middles = [window.start + (number + 0.5) * window.seconds / points for number in range(points)]
    starts = [
        grid.first + grid.step * min(grid.cells - 1, int((middle - grid.first) // grid.step))
        for middle in middles
    ]
    every = set(grid.starts)
    past = {start for start in every if start + grid.step + SETTLED < time.time()}
    cells: dict[int, dict[int, float | None]] = {}
    until: dict[int, float] = {}
    lacking: dict[int, set[int]] = defaultdict(set)
    for endpoint in scope.endpoints:
        # Not all for the same time, or all would have to be worked out anew at once.
        anew = time.monotonic() + KEEP + endpoint % KEEP
        until[endpoint], known = _sparks.get((*key, endpoint), (anew, {}))
        cells[endpoint] = dict(known)
        for start in every - known.keys():
            lacking[start].add(endpoint)
    for first, end, endpoints in _stretches(lacking, grid.step):
        made = _p95s(connection, grid, first, end, endpoints, scope.releases)
        for endpoint in endpoints:
            mine = made.get(endpoint, {})
            cells[endpoint].update({start: mine.get(start) for start in range(first, end, grid.step)})
    for endpoint in {each for start in past for each in lacking.get(start, ())}:
        kept = {start: cells[endpoint][start] for start in past}
        _sparks.put((*key, endpoint), (until[endpoint], kept), until[endpoint] - time.monotonic())
    return {endpoint: [mine[start] for start in starts] for endpoint, mine in cells.items()}


def _stretches(lacking: dict[int, set[int]], step: int) -> list[tuple[int, int, set[int]]]:
    """(from, to, endpoints) of neighbours that lack the same."""
    found: list[tuple[int, int, set[int]]] = []
    for start in sorted(lacking):
        if found and found[-1][1] == start and found[-1][2] == lacking[start]:
            found[-1] = (found[-1][0], start + step, found[-1][2])
        else:
            found.append((start, start + step, lacking[start]))
    return found


def _p95s(  # noqa: PLR0917
    connection: Connection,
    grid: Grid,
    first: int,
    end: int,
    endpoints: set[int],
    releases: tuple[int, ...] | None,
) -> dict[int, dict[int, float | None]]:
    """By endpoint and cell; a few endpoints are sought, many are read with all that lie between them."""
    pieces = [(grid.resolution, first, end)]
    blobs: dict[tuple[int, int], list[bytes]] = defaultdict(list)
    for only in sorted(endpoints) if len(endpoints) <= _FEW else (None,):
        sql, parameters = select("rollups", "t, endpoint_id, histogram", pieces, releases, only)
        for t, endpoint, histogram in connection.rows(sql, parameters):
            if endpoint in endpoints:
                blobs[endpoint, t // grid.step * grid.step].append(histogram)
    found: dict[int, dict[int, float | None]] = defaultdict(dict)
    for (endpoint, at), parts in blobs.items():
        found[endpoint][at] = _p95(*parts)
    return found


@lru_cache(4096)
def _p95(*histograms: bytes) -> float | None:
    """In ms. Of the cells that may still change few do, and bytes are compared faster than added."""
    return ms(merged(histograms).quantile(0.95))


def series(
    connection: Connection, window: Window, scope: Scope, endpoint: int | None = None, most: int = 120
) -> tuple[Grid, list[Cell]]:
    """The sums and the histogram of each cell, over all endpoints of the scope or of one."""
    grid = grid_of(window, most)
    key = ("series", connection.path, connection.identity, scope.key, endpoint)

    def work(first: int, end: int) -> dict[int, Cell]:
        pieces = [(grid.resolution, first, end)]
        sql, parameters = select(
            "rollups", f"t, endpoint_id, {_SUMS}, histogram", pieces, scope.releases, endpoint
        )
        parts: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for t, endpoint_id, *part in connection.rows(sql, parameters):
            if endpoint_id in scope.endpoints:
                parts[t // grid.step * grid.step].append(tuple(part))
        return {at: _cell((*key, grid.step, at), many) for at, many in parts.items()}

    return grid, _remembered(key, grid, work, EMPTY)


def _cell(key: tuple[Any, ...], parts: list[tuple[Any, ...]]) -> Cell:
    """Sums and histograms as one. Of the cells that may still change few do: each transaction changes a histogram."""
    data = b"".join(part[-1] for part in parts if isinstance(part[-1], bytes))  # a damaged one counts nothing
    seen = (*key, blake2b(data).digest())
    known: Cell | None = _unsettled.get(seen)
    if known is None:
        whole = merged(part[-1] for part in parts)
        sums = map(sum, zip(*(part[:-1] for part in parts), strict=True))
        known = Cell(tuple(sums), Column(whole.counts), percentiles(whole))
        _unsettled.put(seen, known, KEEP)
    return known


_memory = Memory(4000)
_unsettled = Memory(60)
#: By endpoint: a page shows up to a thousand of them, over one of a few ranges.
_sparks = Memory(3000)
_UNKNOWN = object()


def forget() -> None:
    """Forget all remembered cells."""
    _memory.clear()
    _unsettled.clear()
    _sparks.clear()


def _remembered(
    key: tuple[Any, ...], grid: Grid, work: Callable[[int, int], dict[int, Any]], nothing: Any
) -> list[Any]:
    """The grid's cells: what is known from memory, each run of others by one statement."""
    now = time.time()
    known = {start: _memory.get((*key, grid.step, start), _UNKNOWN) for start in grid.starts}
    cells = {start: cell for start, cell in known.items() if cell is not _UNKNOWN}
    for first, end in _runs([start for start in grid.starts if start not in cells], grid.step):
        made = work(first, end)
        for start in range(first, end, grid.step):
            cells[start] = made.get(start, nothing)
            if start + grid.step + SETTLED < now:
                # Not all for the same time, or all would have to be worked out anew at once.
                _memory.put((*key, grid.step, start), cells[start], KEEP + start % KEEP)
    return [cells[start] for start in grid.starts]


def _runs(starts: Iterable[int], step: int) -> list[tuple[int, int]]:
    """(from, to) of neighbours, joined."""
    runs: list[tuple[int, int]] = []
    for start in starts:
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], start + step)
        else:
            runs.append((start, start + step))
    return runs
