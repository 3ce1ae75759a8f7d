"""The slowest transactions of a window, and the newest: read from as few rows as hold them.

What few transactions have cannot be found so. Then the whole window is gone through where it is small, and the newest
part of it where it is not: `Found.searched` says which.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.filters import CHOSEN, EVERY, ONE, Filters, statement, values
from apm_agent.queries.maxima import Cell, descending
from apm_agent.queries.memory import Memory
from apm_agent.queries.rollups import KEEP, settled_until, totals
from apm_agent.queries.rows import COLUMNS, TABLES
from apm_agent.queries.scope import Endpoint
from apm_agent.queries.window import Window

#: Where few pass a filter: so many cells are looked into, and of a window so many transactions are gone through.
_MOST_CELLS, MOST_READ = 150, 20_000
#: So many where there are enough rows, which only slower ones can join; and in cells of few hits so many transactions.
_MOST_CELLS_FULL, _MOST_IN_CELLS = 1_000, 5_000
#: From so many endpoints on the newest are read from all at once instead of from each.
_MANY = 4
#: Duration and id: all that is read of those that are only compared.
_NARROW = ("x.duration_ns, x.id", "transactions x")

#: Duration, id and endpoint.
Slow = tuple[int, int, int]
After = tuple[int, int] | None
Releases = tuple[int, ...] | None


class Searched(NamedTuple):
    """The part of a window that was gone through: its newest transactions, from a time (ns) on, of how many."""

    looked_at: int
    of: int
    since: int


class Found(NamedTuple):
    """Rows of `rows.COLUMNS`; `searched` is None where the whole window answers."""

    rows: list[Row]
    searched: Searched | None = None


class _Question(NamedTuple):
    """Which transactions are asked for."""

    window: Window
    endpoints: Mapping[int, Endpoint]
    releases: Releases
    filters: Filters
    limit: int
    after: After


def slowest(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    endpoints: Mapping[int, Endpoint],
    releases: Releases,
    limit: int,
    filters: Filters = EVERY,
    after: After = None,
) -> Found:
    """The slowest transactions of some endpoints, the slowest first."""
    if not endpoints:
        return Found([])
    asked = _Question(window, endpoints, releases, filters, limit, after)
    if connection.mirror is not None:  # a server is asked once for all, not cell by cell
        return Found(_through(connection, asked, "x.duration_ns", window.start_ns))
    found, whole = _in_cells(connection, asked)
    if whole:
        return Found(_by_id(connection, [number for _, number in found]))
    searched = _newest_part(connection, asked)
    since = searched.since if searched else window.start_ns
    rows = {row[0]: row for row in _through(connection, asked, "x.duration_ns", since)}
    rows |= {row[0]: row for row in _by_id(connection, [number for _, number in found if number not in rows])}
    return Found(sorted(rows.values(), key=_duration, reverse=True)[:limit], searched)


def newest(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    endpoints: Mapping[int, Endpoint],
    releases: Releases,
    limit: int,
    filters: Filters = EVERY,
    after: After = None,
) -> Found:
    """The newest transactions of some endpoints, the newest first."""
    if not endpoints:
        return Found([])
    asked = _Question(window, endpoints, releases, filters, limit, after)
    seldom = filters.narrow or filters.min_ns > 0
    searched = _newest_part(connection, asked) if seldom and connection.mirror is None else None
    rows = _through(connection, asked, "x.started_at", searched.since if searched else window.start_ns)
    return Found(rows, searched if len(rows) < limit else None)


def slowest_of_each(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    endpoints: Mapping[int, Endpoint],
    releases: Releases,
    each: int,
    limit: int,
) -> list[Row]:
    """The slowest transactions, at most so many an endpoint so that one does not fill the list."""
    border = settled_until(window) if window.open and connection.mirror is None else None
    if border is not None:
        past = Window(window.start, border, None, False)
        key = (connection.path, connection.identity, past, frozenset(endpoints), releases, each, limit)
        known: list[Slow] | None = _memory.get(key)
        if known is None:
            known = _of_each(connection, past, endpoints, releases, each, limit)
            _memory.put(key, known, KEEP)
        rest = _of_each(connection, Window(border, window.end), endpoints, releases, each, limit)
        ranked = _first_of_each([*known, *rest], each, limit)
        rows = _by_id(connection, [number for _, number, _ in ranked])
        if len(rows) == len(ranked):
            return rows
        _memory.clear()  # some that are remembered have been deleted since, and others follow them
    ranked = _of_each(connection, window, endpoints, releases, each, limit)
    return _by_id(connection, [number for _, number, _ in ranked])


def _of_each(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    endpoints: Mapping[int, Endpoint],
    releases: Releases,
    each: int,
    limit: int,
) -> list[Slow]:
    sql = statement(EVERY, releases, None, "x.duration_ns", ONE, *_NARROW)
    found: dict[int, list[Slow]] = {}
    ranked: list[Slow] = []
    for cell in descending(connection, window, releases, endpoints, limit):
        if len(ranked) == limit and cell.longest_ns < ranked[-1][0]:
            break
        mine = found.get(cell.endpoint, [])
        # More endpoints than rows cannot stand in it: the first are those with the slowest single transaction.
        if cell.endpoint not in found and len(found) == limit:
            continue
        if len(mine) == each and mine[-1][0] >= cell.longest_ns:
            continue
        rows = connection.rows(sql, (*_within(cell, window), *values(EVERY, releases, None), each))
        mine += [(duration, number, cell.endpoint) for duration, number in rows]
        found[cell.endpoint] = sorted(mine, reverse=True)[:each]
        ranked = sorted((slow for slows in found.values() for slow in slows), reverse=True)[:limit]
    return ranked


def _first_of_each(many: Iterable[Slow], each: int, limit: int) -> list[Slow]:
    """The slowest of several such lists: who is among the first of all is among the first of its own."""
    seen: Counter[int] = Counter()
    found = []
    for slow in sorted(many, reverse=True):
        seen[slow[2]] += 1
        if seen[slow[2]] <= each:
            found.append(slow)
    return found[:limit]


def _in_cells(connection: Connection, asked: _Question) -> tuple[list[Row], bool]:
    """Durations and ids, the longest first, and whether no others are longer.

    Looks into the cells of the slowest maximum first and stops when no other can hold a slower one. A filter that few
    pass would lead through all of them, one by one.
    """
    window, endpoints, releases, filters, limit, after = asked
    sql = statement(filters, releases, after, "x.duration_ns", ONE, *_NARROW)
    found: list[Row] = []
    least, gone_through = filters.min_ns, 0
    for number, cell in enumerate(descending(connection, window, releases, endpoints, limit)):
        if cell.longest_ns < least:
            break
        if filters.narrow and _is_lost(number, gone_through, len(found) >= limit):
            return found, False
        gone_through += cell.calls
        asking = values(filters._replace(min_ns=least), releases, after)
        found += connection.rows(sql, (*_within(cell, window), *asking, limit))
        if len(found) >= limit:
            found.sort(reverse=True)
            del found[limit:]
            least = max(least, found[-1][0])
    return sorted(found, reverse=True), True


def _is_lost(cells: int, transactions: int, full: bool) -> bool:
    """Whether looking into one cell after the other costs more than going through a part of the window."""
    if full:
        return cells >= _MOST_CELLS_FULL
    return cells >= _MOST_CELLS or transactions >= _MOST_IN_CELLS


def _within(cell: Cell, window: Window) -> tuple[int, int, int]:
    """Endpoint, from and to of a cell, in ns; edges of the window cut it."""
    low, high = cell.t * 10**9, (cell.t + cell.resolution) * 10**9
    return cell.endpoint, max(low, window.start_ns), min(high, window.end_ns)


def _through(connection: Connection, asked: _Question, order: str, since: int) -> list[Row]:
    """What passes of all transactions from a time on, in that order."""
    window, endpoints, releases, filters, limit, after = asked
    rest = (since, window.end_ns, *values(filters, releases, after), limit)
    # The failed have an index of their own, which is not by endpoint; a server is asked once.
    if len(endpoints) > _MANY or filters.failed or connection.mirror is not None:
        sql = statement(filters, releases, after, order, CHOSEN)
        return connection.rows(sql, (json.dumps(sorted(endpoints)), *rest))
    sql = statement(filters, releases, after, order, ONE)
    found = [row for endpoint in endpoints for row in connection.rows(sql, (endpoint, *rest))]
    at = 3 if order == "x.duration_ns" else 2
    return sorted(found, key=lambda row: (row[at], row[0]), reverse=True)[:limit]


def _newest_part(connection: Connection, asked: _Question) -> Searched | None:
    """The newest transactions that may be gone through; None where those are all."""
    window, endpoints, _, filters, *_ = asked
    only = next(iter(endpoints)) if len(endpoints) == 1 and not filters.failed else None
    whose = "x.failed = 1 AND" if filters.failed else "" if only is None else ONE
    first = connection.row(
        f"SELECT x.started_at FROM transactions x WHERE {whose} x.started_at >= ? AND x.started_at < ?"
        " ORDER BY x.started_at DESC LIMIT 1 OFFSET ?",
        (*(() if only is None else (only,)), window.start_ns, window.end_ns, MOST_READ - 1),
    )
    if first is None:
        return None
    sums = totals(connection, window.pieces(), None, only).values()
    of = sum(each.errors if filters.failed else each.count for each in sums)
    return Searched(MOST_READ, of, first[0]) if of > MOST_READ else None


def _by_id(connection: Connection, numbers: Sequence[int]) -> list[Row]:
    """The slowest first."""
    if not numbers:
        return []
    rows = connection.rows(
        f"SELECT {COLUMNS} FROM {TABLES} WHERE x.id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(numbers)),),
    )
    return sorted(rows, key=_duration, reverse=True)


def _duration(row: Row) -> tuple[int, int]:
    return row[3], row[0]


_memory = Memory(50)
