"""How long the runs of one job waited, what became of them, and which transactions enqueued them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from apm_agent.errors import QuestionError
from apm_agent.model.histogram import Histogram
from apm_agent.queries import latency
from apm_agent.queries.cells import grid_of
from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.jobs import KIND, told
from apm_agent.queries.runs import MOST, rank, runs
from apm_agent.queries.scope import one_endpoint, release_ids, scope_of
from apm_agent.queries.units import hex_id, ms, parse_id
from apm_agent.queries.window import Window

_POINTS = 60
_AT_ONCE = 500
_MOST_QUEUES = _MOST_SENDERS = 10


def job(
    connection: Connection, window: Window, name: str, service: str = "", release: str = ""
) -> dict[str, Any] | None:
    """What the page of an endpoint does not say of a job; None when there is no such job."""
    found = one_endpoint(connection, name, KIND, service)
    if found is None:
        return None
    looked = runs(connection, window, release_ids(connection, release), [found.id], MOST)[found.id]
    outcomes = Counter(row[2] for row in looked.rows if isinstance(row[2], str))
    queues = Counter(str(row[4]) for row in looked.rows if row[4] not in {None, ""})
    return {
        "job": {"name": found.name, "service": found.service, **told(connection, found, looked)},
        "histogram": latency.bars(Histogram(looked.waits)),
        "series": _series(window, looked.rows),
        "outcomes": [{"outcome": what, "count": count} for what, count in outcomes.most_common(10)],
        "queues": [{"queue": what, "count": count} for what, count in queues.most_common(_MOST_QUEUES)],
        "enqueued": _enqueued(connection, looked.rows),
    }


def _series(window: Window, rows: list[Row]) -> dict[str, Any]:
    """Median and 95th percentile of waits over time."""
    grid = grid_of(window, _POINTS)
    cells: list[list[int]] = [[] for _ in range(grid.cells)]
    for row in rows:
        at = (row[0] // 10**9 - grid.first) // grid.step
        if row[1] is not None and 0 <= at < grid.cells:
            cells[at].append(row[1])
    ordered = [sorted(cell) for cell in cells]
    return {
        "t": grid.starts,
        "step": grid.step,
        "count": [len(cell) for cell in ordered],
        "p50_ms": [ms(rank(cell, 0.5)) for cell in ordered],
        "p95_ms": [ms(rank(cell, 0.95)) for cell in ordered],
    }


def _enqueued(connection: Connection, rows: list[Row]) -> dict[str, Any]:
    """Endpoints whose transactions enqueued runs, those first that did so most; how many have left no trace."""
    by = {row[6]: number for row in rows if (number := _number(row[5])) is not None}
    endpoints = _endpoints_of(connection, set(by.values()))
    scope = scope_of(connection)
    counted = Counter(endpoints[number] for number in by.values() if number in endpoints)
    newest: dict[int, tuple[int, int]] = {}
    for run, number in by.items():  # newest runs first
        if number in endpoints:
            newest.setdefault(endpoints[number], (run, number))
    senders = []
    for key, count in counted.most_common(_MOST_SENDERS):
        endpoint = scope.endpoints.get(key)
        if endpoint is not None:
            run, number = newest[key]
            senders.append(
                {
                    "name": endpoint.name,
                    "kind": endpoint.kind,
                    "service": endpoint.service,
                    "method": endpoint.method,
                    "route": endpoint.route,
                    "count": count,
                    "share": round(count / len(rows), 6),
                    "trace": hex_id(number),
                    "run": hex_id(run),
                }
            )
    return {
        "senders": senders,
        "known": sum(counted.values()),
        "gone": len(by) - sum(counted.values()),
        "untold": len(rows) - len(by),
    }


def _number(text: object) -> int | None:
    try:
        return parse_id(text) if isinstance(text, str) else None
    except QuestionError:
        return None


def _endpoints_of(connection: Connection, numbers: set[int]) -> dict[int, int]:
    """The endpoint of each transaction that is still in the store."""
    wanted = sorted(numbers)
    found: dict[int, int] = {}
    for at in range(0, len(wanted), _AT_ONCE):
        part = wanted[at : at + _AT_ONCE]
        found.update(
            connection.rows(
                f"SELECT id, endpoint_id FROM transactions WHERE id IN ({', '.join('?' * len(part))})", part
            )
        )
    return found
