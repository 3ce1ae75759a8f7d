"""Sums and histograms by endpoint over a window, read from the rollups alone."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import add
from typing import NamedTuple

from apm_agent.model.histogram import Histogram
from apm_agent.queries.connection import Connection
from apm_agent.queries.latency import merged, together
from apm_agent.queries.memory import Memory
from apm_agent.queries.scope import Scope, select
from apm_agent.queries.window import Piece, Window

_SUMS = (
    "count, errors, duration_ns, duration_max_ns, cpu_ns, cpu_count, queue_ns, queue_count, rss_bytes,"
    " rss_count, queries, db_ns, http_ns, template_ns, cache_ns, wait_ns, gc_ns"
)
_SUMMED = ", ".join(
    f"{'max' if column == 'duration_max_ns' else 'sum'}({column})" for column in _SUMS.split(", ")
)


#: A time counts as past this long after its end: a transaction is booked where it began, once it is over.
SETTLED = 900
#: Remembered at least this long, and at most twice, should something older come in after all.
KEEP = 1800


class Totals(NamedTuple):
    """What the transactions of an endpoint add up to."""

    count: int = 0  # type: ignore[assignment]  # a field that hides the method of every tuple
    errors: int = 0
    duration_ns: int = 0
    duration_max_ns: int = 0
    cpu_ns: int = 0
    cpu_count: int = 0
    queue_ns: int = 0
    queue_count: int = 0
    rss_bytes: int = 0
    rss_count: int = 0
    queries: int = 0
    db_ns: int = 0
    http_ns: int = 0
    template_ns: int = 0
    cache_ns: int = 0
    wait_ns: int = 0
    gc_ns: int = 0

    @classmethod
    def of(cls, many: Iterable[Totals]) -> Totals:
        """All of them as one."""
        rows = list(many)
        if not rows:
            return cls()
        sums = [*map(sum, zip(*rows, strict=True))]
        sums[_LONGEST] = max(row[_LONGEST] for row in rows)
        return cls(*sums)

    def and_(self, other: Totals) -> Totals:
        """Both as one."""
        sums = [*map(add, self, other)]
        sums[_LONGEST] = max(self[_LONGEST], other[_LONGEST])
        return Totals._make(sums)

    @property
    def spans(self) -> tuple[int, int, int, int, int, int]:
        """The sums `units.kinds` reads."""
        return (self.db_ns, self.http_ns, self.template_ns, self.cache_ns, self.wait_ns, self.gc_ns)


_LONGEST = Totals._fields.index("duration_max_ns")


def totals(
    connection: Connection, pieces: list[Piece], releases: tuple[int, ...] | None, endpoint: int | None = None
) -> dict[int, Totals]:
    """Sums by endpoint."""
    sql, parameters = select("rollups", f"endpoint_id, {_SUMS}", pieces, releases, endpoint)
    rows = connection.rows(f"SELECT endpoint_id, {_SUMMED} FROM ({sql}) GROUP BY endpoint_id", parameters)
    return {row[0]: Totals(*row[1:]) for row in rows}


def _histograms(
    connection: Connection, pieces: list[Piece], releases: tuple[int, ...] | None, endpoint: int | None = None
) -> dict[int, list[bytes]]:
    """The histograms by endpoint, not yet merged."""
    sql, parameters = select("rollups", "endpoint_id, histogram", pieces, releases, endpoint)
    found: dict[int, list[bytes]] = defaultdict(list)
    for endpoint_id, histogram in connection.rows(sql, parameters):
        found[endpoint_id].append(histogram)
    return found


class Measured(NamedTuple):
    """The transactions of an endpoint in a window: their sums and their durations."""

    sums: Totals
    histogram: Histogram


NOTHING = Measured(Totals(), Histogram())


def measure(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, endpoint: int | None = None
) -> dict[int, Measured]:
    """Sums and histogram by endpoint, of all or of one; of a window that is past they are remembered."""
    if endpoint is not None:
        return _read(connection, window, releases, endpoint)
    if not window.open:
        return _past(connection, window, releases) if is_past(window) else _read(connection, window, releases)
    border = settled_until(window)
    if border is None:
        return _read(connection, window, releases)
    settled = _past(connection, Window(window.start, border, None, False), releases)
    return _joined(settled, _read(connection, Window(border, window.end), releases))


def _past(connection: Connection, window: Window, releases: tuple[int, ...] | None) -> dict[int, Measured]:
    """Read from the store, or remembered from a while ago."""
    key = (connection.path, connection.identity, window, releases)
    known: dict[int, Measured] | None = _memory.get(key)
    if known is None:
        known = _read(connection, window, releases)
        for each in known.values():
            each.histogram.settle()
        _memory.put(key, known, KEEP)
    return known


def _read(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, endpoint: int | None = None
) -> dict[int, Measured]:
    pieces = window.pieces()
    blobs = _histograms(connection, pieces, releases, endpoint)
    sums = totals(connection, pieces, releases, endpoint)
    return {each: Measured(total, merged(blobs.get(each, ()))) for each, total in sums.items()}


def together_of(connection: Connection, window: Window, scope: Scope) -> Measured:
    """All endpoints of a scope as one; of a window that is past it is remembered, as by `measure`."""
    past = is_past(window)
    key = ("together", connection.path, connection.identity, window, scope.key)
    known: Measured | None = _memory.get(key) if past else None
    if known is None:
        measured = measure(connection, window, scope.releases)
        known = added([each for at, each in measured.items() if at in scope.endpoints])
        if past:
            known.histogram.settle()
            _memory.put(key, known, KEEP)
    return known


def added(many: Sequence[Measured]) -> Measured:
    """Several as one; those are left as they are."""
    return Measured(Totals.of(each.sums for each in many), together(each.histogram for each in many))


def is_past(window: Window) -> bool:
    """Whether nothing comes to it any more."""
    return not window.open and window.end + SETTLED < time.time()


def settled_until(window: Window) -> int | None:
    """Up to where most of an open window is past: only the rest is read each time.

    A full hour where there is one, for what follows it is then a row of the running hour and not one a minute.
    """
    until = int(time.time() - SETTLED - 1)
    for unit in (3600, 60):
        border = until // unit * unit
        if unit >= window.unit() and border > window.start:
            return border
    return None


def cells(
    connection: Connection, pieces: list[Piece], releases: tuple[int, ...] | None, endpoints: frozenset[int]
) -> dict[int, Measured]:
    """Sums and histogram of some endpoints together by the time of the rollup."""
    only = next(iter(endpoints)) if len(endpoints) == 1 else None
    sql, parameters = select("rollups", f"t, endpoint_id, {_SUMS}, histogram", pieces, releases, only)
    sums: dict[int, list[Totals]] = defaultdict(list)
    blobs: dict[int, list[bytes]] = defaultdict(list)
    for t, endpoint, *row in connection.rows(sql, parameters):
        if endpoint in endpoints:
            sums[t].append(Totals(*row[:-1]))
            blobs[t].append(row[-1])
    return {t: Measured(Totals.of(many), merged(blobs[t])) for t, many in sorted(sums.items())}


def _joined(one: dict[int, Measured], other: dict[int, Measured]) -> dict[int, Measured]:
    """Both as one; what is remembered of either is left as it is."""
    found = {**one, **other}
    for endpoint in one.keys() & other.keys():
        a, b = one[endpoint], other[endpoint]
        found[endpoint] = Measured(a.sums.and_(b.sums), together((a.histogram, b.histogram)))
    return found


_memory = Memory(100)
