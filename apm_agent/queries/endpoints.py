"""Which endpoint costs most, and which changed: one row an endpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable
from typing import Any, NamedTuple

from apm_agent.errors import QuestionError
from apm_agent.model.histogram import Histogram
from apm_agent.model.transaction import TIMED_KINDS
from apm_agent.queries import latency, phrases
from apm_agent.queries.cells import sparks
from apm_agent.queries.connection import Connection
from apm_agent.queries.finding import Finding
from apm_agent.queries.findings import findings
from apm_agent.queries.rollups import Measured, Totals, measure, totals
from apm_agent.queries.scope import Endpoint, Scope, check_kind, scope_of
from apm_agent.queries.units import kb, kinds, mean, millis, ms
from apm_agent.queries.why import Reason, reason, reason_or_line
from apm_agent.queries.window import Window

POINTS = 36

#: Under so many calls on either side a change of p95 says nothing.
_ENOUGH = 20
_SLOW_MS = 500.0
_FAILING = 0.01
#: Endpoints whose profile is looked into, when no insight explains their time: each costs a statement.
_MOST_LINES = 10

Fetched = dict[str, Any]


class Page(NamedTuple):
    """The part of the list that is asked for."""

    sort: str = "share"
    text: str = ""
    kind: str = ""
    limit: int = 200
    offset: int = 0


#: The costliest of all.
FIRST = Page()


class _Line(NamedTuple):
    endpoint: Endpoint
    sums: Totals
    histogram: Histogram

    @property
    def percentiles(self) -> tuple[float | None, float | None, float | None]:
        """p50, p95 and p99 in ms; worked out when asked for, because a page shows few of many rows."""
        return latency.percentiles(self.histogram)


_SORTS: dict[str, Callable[[_Line], Any]] = {
    "share": lambda row: -row.sums.duration_ns,
    "count": lambda row: -row.sums.count,
    "p50": lambda row: -(row.percentiles[0] or 0),
    "p95": lambda row: -(row.percentiles[1] or 0),
    "p99": lambda row: -(row.percentiles[2] or 0),
    "errors": lambda row: -row.sums.errors,
    "queries": lambda row: -(mean(row.sums.queries, row.sums.count) or 0),
    "rss": lambda row: -(mean(row.sums.rss_bytes, row.sums.rss_count) or 0),
    "name": lambda row: row.endpoint.name,
}
#: By what was, too: how much p95 grew against the window before.
_CHANGE = "change"
SORTS = (*_SORTS, _CHANGE)


def endpoints(
    connection: Connection,
    window: Window,
    page: Page = FIRST,
    service: str = "",
    release: str = "",
) -> Fetched:
    """One page of endpoints, and the totals of all that match."""
    check_kind(page.kind)
    if page.sort not in SORTS:
        raise QuestionError(f"sort={page.sort[:40]!r} is not one of {', '.join(SORTS)}")
    scope = scope_of(connection, service, release)
    measured = measure(connection, window, scope.releases)
    lines = _lines(scope, measured)
    everything_ns = sum(row.sums.duration_ns for row in lines if row.endpoint.kind in TIMED_KINDS)
    matching = [row for row in lines if _matches(row.endpoint, page)]
    first = _order(connection, window, scope) if page.sort == _CHANGE else _SORTS[page.sort]
    matching.sort(key=lambda row: (first(row), row.endpoint.name, row.endpoint.id))
    shown = matching[page.offset : page.offset + page.limit]
    more = len(matching) > page.offset + page.limit
    found = findings(connection, window, scope.releases, measured)
    return {
        "endpoints": _rows(connection, window, scope, shown, found, everything_ns),
        "total": _total(matching, window),
        "cursor": str(page.offset + page.limit) if more else None,
        "services": [row[0] for row in connection.rows("SELECT DISTINCT service FROM endpoints ORDER BY 1")],
        "releases": releases(connection, service),
    }


def first_rows(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    scope: Scope,
    measured: dict[int, Measured],
    found: dict[int, list[Finding]],
    count: int,
) -> list[dict[str, Any]]:
    """The costliest endpoints, for the overview."""
    kept = scope.timed
    timed = {key: each for key, each in measured.items() if key in kept}
    everything_ns = sum(each.sums.duration_ns for each in timed.values())
    costliest = sorted(timed, key=lambda key: (-timed[key].sums.duration_ns, scope.endpoints[key].name))
    lines = _lines(scope, {key: timed[key] for key in costliest[:count]})
    return _rows(connection, window, scope, lines, found, everything_ns)


def one_row(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    scope: Scope,
    endpoint: Endpoint,
    measured: Measured,
    causes: list[Finding],
) -> dict[str, Any]:
    """The row of one endpoint, also when nothing happened in it."""
    sums = totals(connection, window.pieces(), scope.releases)
    timed = scope.timed  # made anew each time it is asked for
    everything_ns = sum(each.duration_ns for key, each in sums.items() if key in timed)
    row = _Line(endpoint, measured.sums, measured.histogram)
    only = Scope({endpoint.id: endpoint}, scope.releases)
    return _rows(connection, window, only, [row], {endpoint.id: causes}, everything_ns)[0]


def releases(connection: Connection, service: str = "") -> list[str]:
    """Versions, the newest first."""
    rows = connection.rows(
        "SELECT version FROM releases WHERE version != '' AND (? = '' OR service = ?)"
        " GROUP BY version ORDER BY max(first_seen) DESC LIMIT 100",
        (service, service),
    )
    return [row[0] for row in rows]


def _lines(scope: Scope, measured: dict[int, Measured]) -> list[_Line]:
    return [
        _Line(scope.endpoints[key], each.sums, each.histogram)
        for key, each in measured.items()
        if key in scope.endpoints
    ]


def _order(connection: Connection, window: Window, scope: Scope) -> Callable[[_Line], Any]:
    """The most regressed first; what cannot be compared last."""
    before = _before(connection, window, scope, None, scope.endpoints)

    def first(row: _Line) -> float:
        change = _change(row.sums.count, row.percentiles[1], before.get(row.endpoint.id))
        return math.inf if change is None else -change

    return first


def _matches(endpoint: Endpoint, page: Page) -> bool:
    if endpoint.kind not in ((page.kind,) if page.kind else TIMED_KINDS):
        return False
    text = page.text.lower()
    return not text or text in endpoint.name.lower() or text in (endpoint.view or "").lower()


def _total(matching: Iterable[_Line], window: Window) -> dict[str, Any]:
    sums = [row.sums for row in matching]
    count = sum(each.count for each in sums)
    return {
        "count": count,
        "errors": sum(each.errors for each in sums),
        "total_ms": millis(sum(each.duration_ns for each in sums)),
        "per_min": round(count / window.minutes, 3),
    }


def _rows(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    scope: Scope,
    shown: list[_Line],
    found: dict[int, list[Finding]],
    everything_ns: int,
) -> list[dict[str, Any]]:
    if not shown:
        return []
    only = shown[0].endpoint.id if len(scope.endpoints) == 1 else None
    before = _before(connection, window, scope, only, {row.endpoint.id for row in shown})
    points = sparks(
        connection, window, Scope({row.endpoint.id: row.endpoint for row in shown}, scope.releases), POINTS
    )
    rows = []
    for number, row in enumerate(sorted(shown, key=lambda each: -each.sums.duration_ns)):
        mine = found.get(row.endpoint.id, [])
        told = _reason(connection, window, scope, row, mine, number)
        rows.append((row, _row(window, row, everything_ns, before.get(row.endpoint.id), points, mine, told)))
    order = {row.endpoint.id: number for number, row in enumerate(shown)}
    return [made for row, made in sorted(rows, key=lambda each: order[each[0].endpoint.id])]


def _reason(  # noqa: PLR0917
    connection: Connection, window: Window, scope: Scope, row: _Line, found: list[Finding], number: int
) -> Reason | None:
    if number >= _MOST_LINES:
        return reason(found, row.sums.duration_ns)
    return reason_or_line(connection, window, row.endpoint.id, scope.releases, found, row.sums.duration_ns)


def _row(  # noqa: PLR0917
    window: Window,
    row: _Line,
    everything_ns: int,
    before: tuple[int, float | None] | None,
    points: dict[int, list[float | None]],
    found: list[Finding],
    told: Reason | None,
) -> dict[str, Any]:
    endpoint, sums = row.endpoint, row.sums
    timed = endpoint.kind in TIMED_KINDS
    p50, p95, p99 = row.percentiles if timed else (None, None, None)
    return {
        "name": endpoint.name,
        "kind": endpoint.kind,
        "service": endpoint.service,
        "method": endpoint.method,
        "route": endpoint.route,
        "view": endpoint.view or None,
        "count": sums.count,
        "share": round(sums.duration_ns / everything_ns, 6) if timed and everything_ns else 0.0,
        "total_ms": millis(sums.duration_ns),
        "mean_ms": ms(mean(sums.duration_ns, sums.count)),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "max_ms": ms(sums.duration_max_ns) if sums.count else None,
        "errors": sums.errors,
        "queries_per_call": round(sums.queries / sums.count, 3) if sums.count else None,
        "rss_kb": kb(mean(sums.rss_bytes, sums.rss_count)),
        "rss_calls": sums.rss_count,
        "cpu_ms": ms(mean(sums.cpu_ns, sums.cpu_count)),
        "queue_ms": ms(mean(sums.queue_ns, sums.queue_count)),
        "per_min": round(sums.count / window.minutes, 3),
        "kinds": kinds(sums.duration_ns, sums.spans, sums.queue_ns),
        "p95_change": _change(sums.count, p95, before),
        "spark": points.get(endpoint.id, [None] * POINTS) if timed else [None] * POINTS,
        "flags": _flags(sums, p95, found),
        "why": told.why if told else None,
        "where": told.where if told else None,
    }


def _before(
    connection: Connection, window: Window, scope: Scope, only: int | None, shown: Container[int]
) -> dict[int, tuple[int, float | None]]:
    """Count and p95 in ms of each endpoint in the window before."""
    return {
        key: (each.sums.count, ms(each.histogram.quantile(0.95)))
        for key, each in measure(connection, window.previous(), scope.releases, only).items()
        if key in shown
    }


def _change(count: int, p95: float | None, before: tuple[int, float | None] | None) -> float | None:
    if before is None or p95 is None or not before[1] or count < _ENOUGH or before[0] < _ENOUGH:
        return None
    return round(p95 / before[1] - 1, 4)


def _flags(sums: Totals, p95: float | None, found: list[Finding]) -> list[str]:
    flags = []
    for each in found:
        flag = phrases.flag(each.kind)
        if flag and flag not in flags:
            flags.append(flag)
    if sums.errors and sums.errors >= _FAILING * sums.count and "errors" not in flags:
        flags.append("errors")
    if p95 is not None and p95 >= _SLOW_MS:
        flags.append("slow")
    return flags
