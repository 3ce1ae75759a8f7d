"""The transactions of a window, slowest or newest first."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from apm_agent.errors import QuestionError
from apm_agent.model.transaction import TIMED_KINDS
from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.rows import COLUMNS, TABLES, listed
from apm_agent.queries.scope import Endpoint, scope_of, select
from apm_agent.queries.units import hex_id, parse_id
from apm_agent.queries.window import ROLLUPS, Piece, Window

SORTS = ("duration", "time")

#: From so many endpoints on the newest are read from all at once instead of from each.
_MANY = 4
_LIKE = "LIKE ? ESCAPE '!'"
_CHOSEN = "+x.endpoint_id IN (SELECT value FROM json_each(?)) AND"
#: After so many cells the whole window is gone through instead, if it holds no more transactions than that.
_MOST_CELLS, _MOST_READ = 400, 500_000


class Filters(NamedTuple):
    """What narrows a list of transactions; empty means all."""

    name: str = ""
    kind: str = ""
    service: str = ""
    release: str = ""
    min_ns: int = 0
    max_ns: int | None = None
    status: int | None = None
    failed: bool = False
    kept: bool = False
    text: str = ""

    @property
    def narrow(self) -> bool:
        """Whether what is looked for may be seldom among the slowest."""
        return (
            self.max_ns is not None or self.status is not None or self.failed or self.kept or bool(self.text)
        )


def traces(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    filters: Filters,
    sort: str = "duration",
    limit: int = 200,
    cursor: str = "",
) -> dict[str, Any]:
    """One page of rows, and the cursor of the next."""
    scope = scope_of(connection, filters.service, filters.release)
    endpoints = {key: endpoint for key, endpoint in scope.endpoints.items() if _matches(endpoint, filters)}
    if sort not in SORTS:
        raise QuestionError(f"sort={sort[:40]!r} is not one of {', '.join(SORTS)}")
    after = _parse_cursor(cursor, sort)
    ask = _slowest if sort == "duration" else _newest
    rows = ask(connection, window, filters, scope.releases, endpoints, limit + 1, after) if endpoints else []
    page = rows[:limit]
    return {
        "traces": [listed(row, scope.endpoints) for row in page],
        "cursor": _cursor(page[-1], sort) if len(rows) > limit else None,
    }


def _matches(endpoint: Endpoint, filters: Filters) -> bool:
    """Long connections are only listed when they are asked for: they would fill every list of slow ones."""
    if filters.name and endpoint.name != filters.name:
        return False
    return (
        endpoint.kind == filters.kind if filters.kind else bool(filters.name) or endpoint.kind in TIMED_KINDS
    )


def slowest(
    connection: Connection,
    window: Window,
    endpoints: dict[int, Endpoint],
    releases: tuple[int, ...] | None,
    limit: int,
) -> list[Row]:
    """The slowest transactions of some endpoints, as `rows.COLUMNS`."""
    return _slowest(connection, window, Filters(), releases, endpoints, limit, None) if endpoints else []


def slowest_of_each(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    endpoints: dict[int, Endpoint],
    releases: tuple[int, ...] | None,
    each: int,
    limit: int,
) -> list[Row]:
    """The slowest transactions, at most so many an endpoint so that one does not fill the list."""
    sql = _sql(Filters(), releases, None, "x.duration_ns", "x.endpoint_id = ? AND")
    found: dict[int, list[Row]] = {}
    for maximum, resolution, t, endpoint in _cells(connection, window, releases, endpoints):
        mine = found.get(endpoint, [])
        # More endpoints than rows cannot stand in it: the first are those with the slowest single transaction.
        if (endpoint not in found and len(found) == limit) or (len(mine) == each and mine[-1][3] >= maximum):
            continue
        low, high = max(t * 10**9, window.start_ns), min((t + resolution) * 10**9, window.end_ns)
        values = _values(Filters(), releases, None)
        mine = mine + connection.rows(sql, (endpoint, low, high, *values, each))
        found[endpoint] = sorted(mine, key=lambda row: (row[3], row[0]), reverse=True)[:each]
    rows = [row for mine in found.values() for row in mine]
    return sorted(rows, key=lambda row: (row[3], row[0]), reverse=True)[:limit]


def _slowest(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    filters: Filters,
    releases: tuple[int, ...] | None,
    endpoints: dict[int, Endpoint],
    limit: int,
    after: tuple[int, int] | None,
) -> list[Row]:
    """Looks into the cells of the slowest maximum first; stops when no other can hold a slower one.

    A filter that few pass would lead through all of them, one by one: after some the whole window is gone through.
    """
    found: list[Row] = []
    least = filters.min_ns
    sql = _sql(filters, releases, after, "x.duration_ns", "x.endpoint_id = ? AND")
    for number, (maximum, resolution, t, endpoint) in enumerate(
        _cells(connection, window, releases, endpoints)
    ):
        if maximum < least:
            break
        if number == _MOST_CELLS and filters.narrow and _count(connection, window) <= _MOST_READ:
            chosen = json.dumps(sorted(endpoints))
            sql = _sql(filters, releases, after, "x.duration_ns", _CHOSEN)
            values = _values(filters._replace(min_ns=least), releases, after)
            return connection.rows(sql, (chosen, window.start_ns, window.end_ns, *values, limit))
        low = max(t * 10**9, window.start_ns)
        high = min((t + resolution) * 10**9, window.end_ns)
        found += connection.rows(sql, (endpoint, low, high, *_values(filters, releases, after), limit))
        if len(found) >= limit:
            found.sort(key=lambda row: (row[3], row[0]), reverse=True)
            del found[limit:]
            least = max(least, found[-1][3])
    return sorted(found, key=lambda row: (row[3], row[0]), reverse=True)


def _cells(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, endpoints: dict[int, Endpoint]
) -> list[tuple[int, int, int, int]]:
    """(slowest, resolution, t, endpoint) of minutes and hours: a day is too much to look into."""
    pieces: list[Piece] = window.pieces(ROLLUPS[:2])
    only = next(iter(endpoints)) if len(endpoints) == 1 else None
    columns = "endpoint_id, resolution, t, duration_max_ns"
    sql, parameters = select("rollups", columns, pieces, releases, only)
    rows = connection.rows(
        f"SELECT max(duration_max_ns), resolution, t, endpoint_id FROM ({sql}) GROUP BY resolution, t, "
        "endpoint_id"
        " ORDER BY 1 DESC",
        parameters,
    )
    return [(*row,) for row in rows if row[3] in endpoints]


def _count(connection: Connection, window: Window) -> int:
    sql, parameters = select("rollups", "count", window.pieces(), None)
    found = connection.row(f"SELECT sum(count) FROM ({sql})", parameters)
    return (found[0] or 0) if found else 0


def _newest(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    filters: Filters,
    releases: tuple[int, ...] | None,
    endpoints: dict[int, Endpoint],
    limit: int,
    after: tuple[int, int] | None,
) -> list[Row]:
    if len(endpoints) > _MANY:
        # The plus keeps SQLite from the index by endpoint: by time the newest come first.
        chosen = json.dumps(sorted(endpoints))
        sql = _sql(filters, releases, after, "x.started_at", _CHOSEN)
        values = (chosen, window.start_ns, window.end_ns, *_values(filters, releases, after), limit)
        return connection.rows(sql, values)
    sql = _sql(filters, releases, after, "x.started_at", "x.endpoint_id = ? AND")
    found: list[Row] = []
    for endpoint in endpoints:
        values = (endpoint, window.start_ns, window.end_ns, *_values(filters, releases, after), limit)
        found += connection.rows(sql, values)
    return sorted(found, key=lambda row: (row[2], row[0]), reverse=True)[:limit]


def _sql(
    filters: Filters,
    releases: tuple[int, ...] | None,
    after: tuple[int, int] | None,
    order: str,
    endpoint: str,
) -> str:
    """Which conditions there are depends on the filters; what they compare with is always a parameter."""
    conditions = [f"{endpoint} x.started_at >= ? AND x.started_at < ?", "x.duration_ns >= ?"]
    if filters.max_ns is not None:
        conditions.append("x.duration_ns <= ?")
    if filters.status is not None:
        conditions.append("x.status = ?")
    if filters.failed:
        conditions.append("x.failed = 1")
    if filters.kept:
        conditions.append("x.kept IS NOT NULL")
    if releases is not None:
        conditions.append(f"x.release_id IN ({', '.join('?' * len(releases))})")
    if filters.text:
        conditions.append(
            f"(x.path {_LIKE} OR x.error {_LIKE}"
            f" OR {' OR '.join(f'x.context {_LIKE}' for _ in _as_kept(filters.text))})"
        )
    if after is not None:
        conditions.append(f"({order}, x.id) < (?, ?)")
    where = " AND ".join(conditions)
    return f"SELECT {COLUMNS} FROM {TABLES} WHERE {where} ORDER BY {order} DESC, x.id DESC LIMIT ?"


def _values(filters: Filters, releases: tuple[int, ...] | None, after: tuple[int, int] | None) -> list[Any]:
    text = filters.text.lower()
    texts = [_pattern(each) for each in (text, text, *_as_kept(text))] if text else []
    return [
        filters.min_ns,
        *([filters.max_ns] if filters.max_ns is not None else ()),
        *([filters.status] if filters.status is not None else ()),
        *(releases or ()),
        *texts,
        *(after or ()),
    ]


def _pattern(text: str) -> str:
    """What LIKE finds anywhere, every character as itself; it takes half the time of instr(lower(…))."""
    return "%" + re.sub("([%_!])", r"!\1", text) + "%"


def _as_kept(text: str) -> tuple[str, ...]:
    """What to look for in a context, kept as JSON: ``user=7`` is ``"user":7`` or ``"user":"7"`` there."""
    key, equals, value = text.partition("=")
    if not equals:
        escaped = json.dumps(text)[1:-1]
        return (escaped,)
    name, plain = json.dumps(key), json.dumps(value)
    return f"{name}:{plain[1:-1]}", f"{name}:{plain[:-1]}"


def _cursor(row: Row, sort: str) -> str:
    return f"{row[3] if sort == 'duration' else row[2]}-{hex_id(row[0])}"


def _parse_cursor(text: str, sort: str) -> tuple[int, int] | None:
    if not text:
        return None
    value, dash, number = text.partition("-")
    if not dash or not value.isascii() or not value.isdigit() or len(value) > 19 or int(value) >= 1 << 63:
        raise QuestionError(f"cursor={text[:60]!r} is not one that an answer gave (sort={sort})")
    return int(value), parse_id(number)
