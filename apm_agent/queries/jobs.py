"""Which job costs most, waits longest or fails: one row a job, its wait beside its run time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import QuestionError
from apm_agent.queries.connection import Connection
from apm_agent.queries.endpoints import Page, endpoints
from apm_agent.queries.runs import Runs, runs, waited
from apm_agent.queries.scope import Endpoint, Scope, scope_of
from apm_agent.queries.units import unix
from apm_agent.queries.window import Window

KIND = "background"
#: All jobs at once are put in order by what their rows say.
_ALL = 10_000
#: Jobs that did not run in the window, those first that ran last.
_MOST_IDLE = 50

_Row = dict[str, Any]


def _down(value: float | None) -> float:
    """Largest first, and what is not known last."""
    return float("inf") if value is None else -value


_SORTS: dict[str, Callable[[_Row], Any]] = {
    "share": lambda row: -row["total_ms"],
    "count": lambda row: -row["count"],
    "p50": lambda row: _down(row["p50_ms"]),
    "p95": lambda row: _down(row["p95_ms"]),
    "p99": lambda row: _down(row["p99_ms"]),
    "wait": lambda row: _down(row["wait"]["p95_ms"]),
    "errors": lambda row: -row["errors"],
    "retries": lambda row: -row["retries"],
    "change": lambda row: _down(row["p95_change"]),
    "last": lambda row: _down(row["last"]),
    "name": lambda row: row["name"],
}
SORTS = tuple(_SORTS)
FIRST = Page(kind=KIND)


def jobs(
    connection: Connection, window: Window, page: Page = FIRST, service: str = "", release: str = ""
) -> dict[str, Any]:
    """One page of jobs that ran in the window, those that did not, and the totals of all that match."""
    if page.sort not in _SORTS:
        raise QuestionError(f"sort={page.sort[:40]!r} is not one of {', '.join(SORTS)}")
    found = endpoints(connection, window, Page("share", page.text, KIND, _ALL), service, release)
    scope = scope_of(connection, service, release)
    known = {(each.service, each.name): each for each in scope.endpoints.values() if each.kind == KIND}
    rows: list[_Row] = found["endpoints"]
    of_row = [known[row["service"], row["name"]] for row in rows]
    looked = runs(connection, window, scope.releases, [each.id for each in of_row])
    made = [
        {**row, **told(connection, endpoint, looked[endpoint.id])}
        for row, endpoint in zip(rows, of_row, strict=True)
    ]
    made.sort(key=lambda row: (_SORTS[page.sort](row), row["name"], row["service"]))
    shown = made[page.offset : page.offset + page.limit]
    more = len(made) > page.offset + page.limit
    return {
        "jobs": shown,
        "total": {**found["total"], "retries": sum(row["retries"] for row in made), "jobs": len(made)},
        "idle": _idle(connection, scope, {each.id for each in of_row}, page.text),
        "cursor": str(page.offset + page.limit) if more else None,
        "services": found["services"],
        "releases": found["releases"],
    }


def told(connection: Connection, endpoint: Endpoint, looked: Runs) -> _Row:
    """What a job's row says beyond that of an endpoint; `looked` is how many of its runs that is made of."""
    steady = looked.rhythm
    last = looked.rows[0][0] if looked.rows else _last(connection, endpoint.id)
    return {
        "wait": waited(looked.waits),
        "retries": looked.retries,
        "reruns": looked.reruns,
        "looked": len(looked.rows),
        "last": unix(last),
        "schedule": steady.told() if steady else None,
    }


def _last(connection: Connection, job: int) -> int | None:
    row = connection.row("SELECT max(started_at) FROM transactions WHERE endpoint_id = ?", (job,))
    started: int | None = row[0] if row else None
    return started


def _idle(connection: Connection, scope: Scope, ran: set[int], text: str) -> list[_Row]:
    """Jobs of the store that did not run in the window: what should have run and did not is a fault too."""
    wanted = text.lower()
    idle = [
        (last, each)
        for each in scope.endpoints.values()
        if each.kind == KIND
        and each.id not in ran
        and wanted in each.name.lower()
        and (last := _last(connection, each.id)) is not None
    ]
    idle.sort(key=lambda pair: (-pair[0], pair[1].name))
    return [
        {"name": each.name, "service": each.service, "last": unix(last)} for last, each in idle[:_MOST_IDLE]
    ]
