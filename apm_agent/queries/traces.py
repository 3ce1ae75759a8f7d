"""The transactions of a window, slowest or newest first."""

from __future__ import annotations

from typing import Any

from apm_agent.errors import QuestionError
from apm_agent.model.transaction import TIMED_KINDS
from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.filters import Filters
from apm_agent.queries.rows import listed
from apm_agent.queries.scope import Endpoint, scope_of
from apm_agent.queries.slowest import Searched, newest, slowest
from apm_agent.queries.units import hex_id, parse_id, unix
from apm_agent.queries.window import Window

SORTS = ("duration", "time")


def traces(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    filters: Filters,
    sort: str = "duration",
    limit: int = 200,
    cursor: str = "",
) -> dict[str, Any]:
    """One page of rows, and the cursor of the next; `searched` where a part of the window was gone through only."""
    scope = scope_of(connection, filters.service, filters.release)
    endpoints = {key: endpoint for key, endpoint in scope.endpoints.items() if _matches(endpoint, filters)}
    if sort not in SORTS:
        raise QuestionError(f"sort={sort[:40]!r} is not one of {', '.join(SORTS)}")
    after = _parse_cursor(cursor, sort)
    ask = slowest if sort == "duration" else newest
    found = ask(connection, window, endpoints, scope.releases, limit + 1, filters, after)
    page = found.rows[:limit]
    return {
        "traces": [listed(row, scope.endpoints) for row in page],
        "cursor": _cursor(page[-1], sort) if len(found.rows) > limit else None,
        "searched": _told(found.searched),
    }


def _matches(endpoint: Endpoint, filters: Filters) -> bool:
    """Long connections are only listed when they are asked for: they would fill every list of slow ones."""
    if filters.name and endpoint.name != filters.name:
        return False
    return (
        endpoint.kind == filters.kind if filters.kind else bool(filters.name) or endpoint.kind in TIMED_KINDS
    )


def _told(searched: Searched | None) -> dict[str, Any] | None:
    return searched and {"looked_at": searched.looked_at, "of": searched.of, "since": unix(searched.since)}


def _cursor(row: Row, sort: str) -> str:
    return f"{row[3] if sort == 'duration' else row[2]}-{hex_id(row[0])}"


def _parse_cursor(text: str, sort: str) -> tuple[int, int] | None:
    if not text:
        return None
    value, dash, number = text.partition("-")
    if not dash or not value.isascii() or not value.isdigit() or len(value) > 19 or int(value) >= 1 << 63:
        raise QuestionError(f"cursor={text[:60]!r} is not one that an answer gave (sort={sort})")
    return int(value), parse_id(number)
