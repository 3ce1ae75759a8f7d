"""Is it slow now, since when, and what to fix first: the whole application on one page."""

from __future__ import annotations

from typing import Any

from apm_agent.model.histogram import Histogram
from apm_agent.queries import phrases
from apm_agent.queries.cells import series
from apm_agent.queries.connection import Connection
from apm_agent.queries.crew import crew, workers
from apm_agent.queries.endpoint import charts
from apm_agent.queries.endpoints import POINTS, first_rows
from apm_agent.queries.finding import Finding, rank
from apm_agent.queries.findings import findings
from apm_agent.queries.rollups import Measured, Totals, added, measure, together_of
from apm_agent.queries.rows import listed
from apm_agent.queries.scope import Scope, scope_of
from apm_agent.queries.slowest import slowest_of_each
from apm_agent.queries.units import hex_id, kb, millis, ms
from apm_agent.queries.window import Window

_MOST_ROWS = 10
_MOST_FIXES = 4
_MOST_SLOW = 8
_SLOW_EACH = 2


def overview(connection: Connection, window: Window, service: str = "", release: str = "") -> dict[str, Any]:
    """Key figures, charts, what to fix first, costliest endpoints, slowest transactions, workers."""
    everything = scope_of(connection, service, release)
    scope = Scope(everything.timed, everything.releases)
    measured = measure(connection, window, scope.releases)
    now = added([each for at, each in measured.items() if at in scope.endpoints])
    before = together_of(connection, window.previous(), scope)
    drawn = charts(*series(connection, window, scope))
    found = findings(connection, window, scope.releases, measured)
    return {
        "kpi": _kpi(window, now, before, drawn["series"]),
        "total": {
            "count": now.sums.count,
            "errors": now.sums.errors,
            "total_ms": millis(now.sums.duration_ns),
            "count_before": before.sums.count,
        },
        **drawn,
        "fix_first": _fix_first(connection, scope, measured, found, now.sums.duration_ns),
        "endpoints": first_rows(connection, window, scope, measured, found, _MOST_ROWS),
        "slowest": [
            listed(row, scope.endpoints)
            for row in slowest_of_each(
                connection, window, scope.endpoints, scope.releases, _SLOW_EACH, _MOST_SLOW
            )
        ],
        "workers": workers(connection, service),
        "crew": crew(connection, window, scope, service),
        "releases": [
            {"version": version, "first_seen": seen / 1e9}
            for version, seen in connection.rows(
                "SELECT version, min(first_seen) FROM releases WHERE version != '' AND (? = '' OR service "
                "= ?)"
                " GROUP BY version ORDER BY 2 DESC LIMIT 50",
                (service, service),
            )
        ],
    }


def _kpi(window: Window, now: Measured, before: Measured, drawn: dict[str, Any]) -> dict[str, Any]:
    figures = _figures(window, *now)
    earlier = _figures(window.previous(), *before)
    busy = [
        sum(values[at] for kind, values in drawn["kinds"].items() if kind != "queue") / 1000 / drawn["step"]
        for at in range(len(drawn["t"]))
    ]
    lines = {
        "per_min": [count * 60 / drawn["step"] for count in drawn["count"]],
        "p50_ms": drawn["p50_ms"],
        "p95_ms": drawn["p95_ms"],
        "error_rate": [
            errors / count if count else None
            for errors, count in zip(drawn["errors"], drawn["count"], strict=True)
        ],
        "busy": busy,
    }
    return {
        name: {"value": value, "previous": earlier[name], "spark": _spark(lines[name])}
        for name, value in figures.items()
    }


def _figures(window: Window, sums: Totals, whole: Histogram) -> dict[str, float | None]:
    p50, p95 = whole.quantiles((0.5, 0.95))
    return {
        "per_min": round(sums.count / window.minutes, 3),
        "p50_ms": ms(p50),
        "p95_ms": ms(p95),
        "error_rate": round(sums.errors / sums.count, 6) if sums.count else None,
        "busy": round(sums.duration_ns / 1e9 / window.seconds, 4),
    }


def _spark(values: list[float | None]) -> list[float | None]:
    """`POINTS` of the values, each the one that stands at its moment."""
    if not values:
        return [None] * POINTS
    picked = [values[min(len(values) - 1, int((at + 0.5) * len(values) / POINTS))] for at in range(POINTS)]
    return [None if value is None else round(value, 4) for value in picked]


def _fix_first(
    connection: Connection,
    scope: Scope,
    measured: dict[int, Measured],
    by_endpoint: dict[int, list[Finding]],
    everything_ns: int,
) -> list[dict[str, Any]]:
    """The costliest findings, one an endpoint and line."""
    ranked = sorted(
        (each for key, found in by_endpoint.items() if key in scope.endpoints for each in found),
        key=rank,
        reverse=True,
    )
    made: list[dict[str, Any]] = []
    seen: set[tuple[int, str]] = set()
    for found in ranked:
        place = phrases.line_of(found.frame)
        if (found.endpoint, place) in seen:
            continue
        seen.add((found.endpoint, place))
        endpoint = scope.endpoints[found.endpoint]
        mine = measured[found.endpoint].sums if found.endpoint in measured else Totals()
        evidence = found.evidence(mine.duration_ns)
        exists = connection.row("SELECT 1 FROM transactions WHERE id = ?", (found.example,))
        made.append(
            {
                "kind": found.kind,
                "title": phrases.title(found.kind),
                "name": endpoint.name,
                "endpoint_kind": endpoint.kind,
                "service": endpoint.service,
                "method": endpoint.method,
                "route": endpoint.route,
                "why": phrases.why(evidence),
                "where": place or None,
                "transactions": found.transactions,
                "cost_ms": millis(found.cost_ns),
                "cost_kb": kb(found.cost_bytes) if found.cost_bytes else None,
                "share": round(found.cost_ns / everything_ns, 6) if everything_ns else 0.0,
                "trace": hex_id(found.example) if exists else None,
                "severity": found.severity(evidence),
                "evidence": found.figures,
            }
        )
        if len(made) == _MOST_FIXES:
            break
    return made
