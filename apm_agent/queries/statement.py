"""One statement in depth: since when it is slow, who sends it, in which transactions, and its plans."""

from __future__ import annotations

from typing import Any

from apm_agent.errors import StoreError
from apm_agent.model.statement import summary
from apm_agent.queries import detail, names
from apm_agent.queries.cells import grid_of
from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.plans import kept
from apm_agent.queries.rows import COLUMNS, TABLES, listed
from apm_agent.queries.scope import Endpoint, Scope, scope_of, select
from apm_agent.queries.standing import NONE, Ran, p95
from apm_agent.queries.statements import Sums, rows, runs_per_call, sums
from apm_agent.queries.units import mean, millis, ms
from apm_agent.queries.window import Piece, Window

_POINTS = 120
_MOST_SENDERS = 100
_MOST_EXAMPLES = 12
#: Details looked into for examples, the newest of the endpoints that spend most time in the statement.
_MOST_DETAILS, _MOST_ENDPOINTS = 200, 5
#: From more endpoints that send it on, all rows are read over time instead of seeking those of each.
_FEW_SENDERS = 8


def statement(
    connection: Connection, window: Window, number: int, service: str = "", release: str = ""
) -> dict[str, Any] | None:
    """The whole page; None when there is no such statement."""
    text = text_of(connection, number)
    if text is None:
        return None
    scope = scope_of(connection, service, release)
    every = sums(connection, window, scope)
    found = next((row for row in every if row.statement == number), None)
    everything = sum(row.duration_ns for row in every)
    examples, ran = _examples(connection, window, scope, found) if found else ([], NONE)
    return {
        "query": rows(connection, window, scope, [found], everything, {number: ran})[0] if found else None,
        "id": str(number),
        "text": text,
        "summary": summary(text),
        "p95": {"ms": p95(sorted(ran.durations)), "count": len(ran.durations)},
        "series": _series(connection, window, scope, number, found),
        "senders": _senders(connection, scope.endpoints, found) if found else [],
        "examples": examples,
        "plans": kept(connection, number),
    }


def text_of(connection: Connection, number: int) -> str | None:
    """A statement as it is kept; None when there is none of that id."""
    return names.statements(connection, [number]).get(number)


def last_release(connection: Connection, number: int) -> str:
    """The release that ran it last; empty when none is known."""
    row = connection.row(
        "SELECT r.version FROM statement_rollups s JOIN releases r ON r.id = s.release_id"
        " WHERE s.resolution = 86400 AND s.statement_id = ? ORDER BY s.t DESC, r.first_seen DESC LIMIT 1",
        (number,),
    )
    return str(row[0]) if row else ""


def _series(
    connection: Connection, window: Window, scope: Scope, number: int, found: Sums | None
) -> dict[str, Any]:
    grid = grid_of(window, _POINTS)
    end = grid.first + grid.step * grid.cells
    unit = grid.resolution
    # Who sent it in the window is known; the cells at its edges reach beyond.
    low = min(end, -(-window.start // unit) * unit)
    high = end if window.open else max(low, min(end, int(window.end) // unit * unit))
    cells = [[0, 0, 0] for _ in range(grid.cells)]
    for t, count, duration, longest in [
        *_of_all(connection, scope, number, (unit, grid.first, low)),
        *_of_senders(connection, scope, number, (unit, low, high), found),
        *_of_all(connection, scope, number, (unit, high, end)),
    ]:
        cell = cells[(t - grid.first) // grid.step]
        cell[:] = [cell[0] + count, cell[1] + duration, max(cell[2], longest)]
    return {
        "t": grid.starts,
        "step": grid.step,
        "runs": [cell[0] for cell in cells],
        "total_ms": [millis(cell[1]) for cell in cells],
        "mean_ms": [ms(mean(cell[1], cell[0])) for cell in cells],
        "max_ms": [millis(cell[2]) if cell[0] else None for cell in cells],
    }


_OVER_TIME = "t, endpoint_id, statement_id, count, duration_ns, duration_max_ns"


def _of_senders(
    connection: Connection, scope: Scope, number: int, piece: Piece, found: Sums | None
) -> list[Row]:
    """Time, runs, nanoseconds and the longest; a few senders are sought, for theirs are few rows among all."""
    senders = {sent.endpoint for sent in found.senders} if found else set()
    if len(senders) > _FEW_SENDERS:
        return _of_all(connection, scope, number, piece)
    rows: list[Row] = []
    for endpoint in sorted(senders):
        sql, parameters = select("statement_rollups", _OVER_TIME, [piece], scope.releases, endpoint)
        rows += connection.rows(
            f"SELECT t, count, duration_ns, duration_max_ns FROM ({sql}) WHERE statement_id = ?",
            [*parameters, number],
        )
    return rows


def _of_all(connection: Connection, scope: Scope, number: int, piece: Piece) -> list[Row]:
    """The same of whichever endpoint of the scope."""
    _, start, end = piece
    if start >= end:
        return []
    sql, parameters = select("statement_rollups", _OVER_TIME, [piece], scope.releases)
    rows = connection.rows(
        f"SELECT endpoint_id, t, count, duration_ns, duration_max_ns FROM ({sql}) WHERE statement_id = ?",
        [*parameters, number],
    )
    return [row[1:] for row in rows if row[0] in scope.endpoints]


def _senders(connection: Connection, endpoints: dict[int, Endpoint], found: Sums) -> list[dict[str, Any]]:
    shown = found.senders[:_MOST_SENDERS]
    frames = names.frames(connection, {sent.frame for sent in shown})
    return [
        {
            "name": endpoints[sent.endpoint].name,
            "kind": endpoints[sent.endpoint].kind,
            "service": endpoints[sent.endpoint].service,
            "method": endpoints[sent.endpoint].method,
            "route": endpoints[sent.endpoint].route,
            "where": names.where(frames.get(sent.frame)),
            "runs": sent.runs,
            "calls": sent.transactions,
            "runs_per_call": round(runs_per_call(sent), 3),
            "total_ms": millis(sent.duration_ns),
            "mean_ms": millis(mean(sent.duration_ns, sent.runs) or 0.0),
            "max_ms": millis(sent.longest_ns),
            "share": round(sent.duration_ns / found.duration_ns, 6) if found.duration_ns else 0.0,
        }
        for sent in shown
    ]


def _examples(
    connection: Connection, window: Window, scope: Scope, found: Sums
) -> tuple[list[dict[str, Any]], Ran]:
    """The kept transactions that spent most time in it, and its runs in any of them."""
    made: list[dict[str, Any]] = []
    every = Ran([], [])
    for row in _kept(connection, window, scope, found):
        spans = _runs(row[-1], found.statement)
        if spans:
            for span in spans:
                every.add(span)
            ran = [span[4] for span in spans]
            spent = {"runs": len(ran), "statement_ms": millis(sum(ran)), "longest_ms": millis(max(ran))}
            made.append({**listed(row, scope.endpoints), **spent})
    made.sort(key=lambda each: (-each["statement_ms"], each["id"]))
    return made[:_MOST_EXAMPLES], every


def _kept(connection: Connection, window: Window, scope: Scope, found: Sums) -> list[Any]:
    wanted = list(dict.fromkeys(sent.endpoint for sent in found.senders))[:_MOST_ENDPOINTS]
    releases = scope.releases
    only = "" if releases is None else f" AND x.release_id IN ({', '.join('?' * len(releases))})"
    rows_of_each = [
        connection.rows(
            f"SELECT {COLUMNS}, d.data FROM {TABLES} JOIN traces d ON d.transaction_id = x.id"
            f" WHERE x.endpoint_id = ? AND x.started_at >= ? AND x.started_at < ? AND x.kept IS NOT NULL{only}"
            " ORDER BY x.started_at DESC LIMIT ?",
            (endpoint, window.start_ns, window.end_ns, *(releases or ()), _MOST_DETAILS // len(wanted)),
        )
        for endpoint in wanted
    ]
    return [row for some in rows_of_each for row in some]


def _runs(data: bytes, number: int) -> list[Any]:
    """The spans of the statement in a transaction."""
    try:
        spans = detail.unpack(data).get("spans") or ()
    except StoreError:
        return []
    return [span for span in spans if span[6] == number]
