"""Why is this endpoint slow, and when: one endpoint in depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from apm_agent.queries import hot, latency, names, phrases
from apm_agent.queries.cells import Cell, Grid, series
from apm_agent.queries.connection import Connection
from apm_agent.queries.endpoints import one_row
from apm_agent.queries.finding import Finding
from apm_agent.queries.findings import findings
from apm_agent.queries.profile import Profiled, of_window
from apm_agent.queries.rollups import NOTHING, Totals, measure
from apm_agent.queries.rows import listed
from apm_agent.queries.scope import Endpoint, Scope, one_endpoint, release_ids, scope_of, select
from apm_agent.queries.slowest import slowest
from apm_agent.queries.source import Sources
from apm_agent.queries.source_of import of_endpoint
from apm_agent.queries.sourced import blocks
from apm_agent.queries.units import hex_id, kb, kinds, mean, millis, ms
from apm_agent.queries.window import Window

_MOST_LINES = 20
_MOST_STATEMENTS = 50
_MOST_TRACES = 20
#: Newest transactions that the bands and the median of memory are made of.
_MOST_ROWS = 5000


def endpoint(  # noqa: PLR0917
    connection: Connection, window: Window, name: str, kind: str = "", service: str = "", release: str = ""
) -> dict[str, Any] | None:
    """The whole page; None when there is no such endpoint."""
    found = one_endpoint(connection, name, kind, service)
    if found is None:
        return None
    releases = release_ids(connection, release)
    sums, whole = measured = measure(connection, window, releases, found.id).get(found.id, NOTHING)
    profiled = of_window(connection, window, [found.id], releases)
    sources = of_endpoint(connection, found, window)
    causes = findings(connection, window, releases, {found.id: measured}, found.id).get(found.id, [])
    recent = _recent(connection, window, found, releases)
    return {
        "endpoint": one_row(
            connection,
            window,
            Scope(scope_of(connection, service).endpoints, releases),
            found,
            measured,
            causes,
        ),
        **charts(*series(connection, window, Scope({found.id: found}, releases), found.id), rss=True),
        "histogram": latency.bars(whole),
        "bands": _bands(recent),
        "insights": [insight(connection, each, sums, sources) for each in causes],
        "hot_lines": hot_lines(profiled, sources),
        "source": blocks(profiled, sources),
        "statements": _statements(connection, window, found, releases, sums.count),
        "traces": [
            listed(row, {found.id: found})
            for row in slowest(connection, window, {found.id: found}, releases, _MOST_TRACES).rows
        ],
        "memory": _memory(sums, recent),
        "profile_url": "api/v1/profile?" + urlencode(_query(found, window, release)),
    }


def charts(grid: Grid, cells: Sequence[Cell], rss: bool = False) -> dict[str, Any]:
    """The series and the heatmap, of one endpoint or of all."""
    by_kind = [kinds(cell.sums[2], cell.sums[3:9], cell.sums[9]) for cell in cells]
    made: dict[str, Any] = {
        "t": grid.starts,
        "step": grid.step,
        "count": [cell.sums[0] for cell in cells],
        "errors": [cell.sums[1] for cell in cells],
        "p50_ms": [cell.percentiles[0] for cell in cells],
        "p95_ms": [cell.percentiles[1] for cell in cells],
        "p99_ms": [cell.percentiles[2] for cell in cells],
        "kinds": {kind: [each[kind] for each in by_kind] for kind in by_kind[0]} if by_kind else {},
    }
    if rss:
        made["rss_kb"] = [kb(mean(cell.sums[10], cell.sums[11])) for cell in cells]
    return {"series": made, "heatmap": latency.heatmap([cell.column for cell in cells])}


def insight(connection: Connection, found: Finding, sums: Totals, sources: Sources) -> dict[str, Any]:
    """A finding as the API writes it."""
    evidence = found.evidence(sums.duration_ns)
    exists = connection.row("SELECT 1 FROM transactions WHERE id = ?", (found.example,))
    return {
        "kind": found.kind,
        "title": phrases.title(found.kind),
        "why": phrases.why(evidence),
        "where": {**(names.where(found.frame) or {}), **sources.told(found.frame)} if found.frame else None,
        "count": found.transactions,
        "of": sums.count,
        "cost_ms": millis(evidence.cost_ns),
        "total_ms": millis(found.cost_ns),
        "statement": {"id": str(found.statement_id), "text": found.statement} if found.statement else None,
        "fix": phrases.fix(evidence),
        "trace": hex_id(found.example) if exists else None,
        "severity": found.severity(evidence),
        "evidence": found.figures,
    }


def hot_lines(profiled: Profiled, sources: Sources) -> list[dict[str, Any]]:
    """The lines that answer for most time, with their text where it is still what ran."""
    whole = profiled.total_ns
    made = []
    for line in hot.lines(profiled)[:_MOST_LINES]:
        text = sources.line(line.frame)
        made.append(
            {
                "file": line.frame.file,
                "line": line.frame.line,
                "function": line.frame.function,
                "category": line.frame.category,
                "own_ms": millis(line.own_ns),
                "total_ms": millis(line.total_ns),
                "cpu_ms": None if line.cpu_ns is None else millis(line.cpu_ns),
                "share": round(line.own_ns / whole, 6) if whole else 0.0,
                "source": text.text,
                "changed": text.changed,
                "edited": text.edited,
            }
        )
    return made


def _recent(
    connection: Connection, window: Window, found: Endpoint, releases: tuple[int, ...] | None
) -> list[Any]:
    only = "" if releases is None else f" AND release_id IN ({', '.join('?' * len(releases))})"
    return connection.rows(
        "SELECT duration_ns, db_ns, http_ns, template_ns, cache_ns, wait_ns, gc_ns, queue_ns,"
        " CASE WHEN overlap = 0 THEN rss_after - rss_before END FROM transactions"
        f" WHERE endpoint_id = ? AND started_at >= ? AND started_at < ?{only} ORDER BY started_at DESC "
        "LIMIT ?",
        (found.id, window.start_ns, window.end_ns, *(releases or ()), _MOST_ROWS),
    )


def _bands(recent: list[Any]) -> dict[str, Any]:
    """The faster half, the calls between it and the slowest 5 %, and those."""
    ranked = sorted(recent, key=lambda row: row[0])
    half, slow = (len(ranked) + 1) // 2, len(ranked) - (len(ranked) + 19) // 20
    parts = {"fast": ranked[:half], "typical": ranked[half:slow], "slow": ranked[max(half, slow) :]}
    return {name: _band(rows) for name, rows in parts.items()}


def _band(rows: list[Any]) -> dict[str, Any]:
    sums = [sum(row[column] or 0 for row in rows) for column in range(8)]
    by_kind = kinds(sums[0], sums[1:7], sums[7])
    return {
        "count": len(rows),
        "mean_ms": ms(mean(sums[0], len(rows))),
        "kinds": {kind: round(value / max(1, len(rows)), 3) for kind, value in by_kind.items()},
    }


def _memory(sums: Totals, recent: list[Any]) -> dict[str, Any]:
    """What calls kept that had the process to themselves."""
    kept = sorted(row[8] for row in recent if row[8] is not None)
    return {
        "exclusive": sums.rss_count,
        "mean_kb": kb(mean(sums.rss_bytes, sums.rss_count)),
        "p50_kb": kb(kept[len(kept) // 2]) if kept else None,
        "max_kb": kb(kept[-1]) if kept else None,
    }


def _statements(
    connection: Connection, window: Window, found: Endpoint, releases: tuple[int, ...] | None, calls: int
) -> list[dict[str, Any]]:
    columns = "endpoint_id, statement_id, frame_id, count, duration_ns, duration_max_ns"
    sql, parameters = select("statement_rollups", columns, window.pieces(), releases, found.id)
    rows = connection.rows(
        "SELECT statement_id, frame_id, sum(count), sum(duration_ns), max(duration_max_ns)"
        f" FROM ({sql}) GROUP BY statement_id, frame_id ORDER BY 4 DESC",
        parameters,
    )
    everything = sum(row[3] for row in rows)
    frames = names.frames(connection, {row[1] for row in rows[:_MOST_STATEMENTS]})
    texts = names.statements(connection, {row[0] for row in rows[:_MOST_STATEMENTS]})
    return [
        {
            "id": str(statement),
            "text": texts.get(statement, "(forgotten)"),
            "runs_per_call": round(count / calls, 3) if calls else 0.0,
            "runs": count,
            "total_ms": millis(duration),
            "mean_ms": millis(duration / count) if count else 0.0,
            "max_ms": millis(longest),
            "share": round(duration / everything, 6) if everything else 0.0,
            "where": names.where(frames.get(frame)),
        }
        for statement, frame, count, duration, longest in rows[:_MOST_STATEMENTS]
    ]


def _query(found: Endpoint, window: Window, release: str) -> dict[str, str]:
    query = {"name": found.name, "kind": found.kind, "service": found.service}
    if window.range:
        query["range"] = window.range
    else:
        query |= {"from": f"{window.start}", "to": f"{window.end:.3f}"}
    return query | ({"release": release} if release else {})
