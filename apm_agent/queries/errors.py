"""What failed, grouped by the exception's type and the innermost line of the application's own code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from apm_agent.errors import QuestionError
from apm_agent.model.profile import Frame
from apm_agent.queries import names
from apm_agent.queries.connection import Connection
from apm_agent.queries.endpoints import Page, releases
from apm_agent.queries.failures import MOST, Failure, failures
from apm_agent.queries.rollups import totals
from apm_agent.queries.scope import Scope, scope_of
from apm_agent.queries.units import hex_id
from apm_agent.queries.window import Window

POINTS = 36
_MOST_ENDPOINTS = 10
_MOST_TRACES = 5

_Row = dict[str, Any]
_SORTS: dict[str, Callable[[_Row], Any]] = {
    "count": lambda row: -row["count"],
    "last": lambda row: -row["last"],
    "first": lambda row: -row["first"],
    "endpoints": lambda row: -row["endpoint_count"],
    "type": lambda row: row["type"].lower(),
}
SORTS = tuple(_SORTS)
FIRST = Page(sort="count")


def errors(
    connection: Connection, window: Window, page: Page = FIRST, service: str = "", release: str = ""
) -> dict[str, Any]:
    """One page of groups; `more` when there were more failures than are looked at, of which `of` is the number."""
    if page.sort not in _SORTS:
        raise QuestionError(f"sort={page.sort[:40]!r} is not one of {', '.join(SORTS)}")
    scope = scope_of(connection, service, release)
    seen = failures(connection, window, scope.releases)
    found = grouped(each for each in seen if each.endpoint in scope.endpoints)
    frames = names.frames(connection, {frame for _, frame in found if frame})
    every = [row(window, scope, group, frames) for group in found.values()]
    wanted = page.text.lower()
    made = [each for each in every if not wanted or wanted in _words(each)]
    made.sort(key=lambda each: (_SORTS[page.sort](each), -each["count"], -each["last"], each["type"]))
    counted = totals(connection, window.pieces(), scope.releases)
    return {
        "errors": made[page.offset : page.offset + page.limit],
        "groups": len(made),
        "failed": sum(each["count"] for each in made),
        "of": sum(each.errors for key, each in counted.items() if key in scope.endpoints),
        "more": len(seen) >= MOST,
        "cursor": str(page.offset + page.limit) if len(made) > page.offset + page.limit else None,
        "services": sorted({each.service for each in scope_of(connection).endpoints.values()}),
        "releases": releases(connection, service),
    }


def grouped(seen: Iterable[Failure]) -> dict[tuple[str, int | None], list[Failure]]:
    """Failures of one type at one line, the newest first."""
    groups: dict[tuple[str, int | None], list[Failure]] = {}
    for each in seen:
        groups.setdefault(each.key, []).append(each)
    return groups


def row(window: Window, scope: Scope, group: list[Failure], frames: dict[int, Frame]) -> _Row:
    """A group as the list shows it."""
    first, last = group[-1], group[0]
    by_endpoint = Counter(each.endpoint for each in group)
    by_release = Counter(each.release for each in group)
    place = names.where(frames.get(last.frame or 0)) or {"file": None, "line": None, "function": None}
    return {
        "type": last.type,
        "message": next((each.message for each in group if each.message), None),
        **place,
        "frame": str(last.frame) if last.frame else None,
        "count": len(group),
        "first": first.started / 1e9,
        "last": last.started / 1e9,
        "first_release": first.release or None,
        "endpoint_count": len(by_endpoint),
        "endpoints": [
            {
                "name": scope.endpoints[key].name,
                "kind": scope.endpoints[key].kind,
                "service": scope.endpoints[key].service,
                "count": count,
            }
            for key, count in by_endpoint.most_common(_MOST_ENDPOINTS)
        ],
        "releases": [{"release": name or None, "count": count} for name, count in by_release.most_common()],
        "traces": [hex_id(each.transaction) for each in group if each.kept][:_MOST_TRACES],
        "spark": spark(window, group),
    }


def spark(window: Window, group: Iterable[Failure], points: int = POINTS) -> list[int]:
    """How many there were in each of so many equal parts of the window."""
    counts = [0] * points
    for each in group:
        at = int((each.started / 1e9 - window.start) / window.seconds * points)
        counts[max(0, min(points - 1, at))] += 1
    return counts


def _words(row: _Row) -> str:
    """What the filter looks into."""
    parts = [row["type"], row["message"] or "", row["file"] or "", row["function"] or ""]
    return "\n".join([*parts, *(each["name"] for each in row["endpoints"])]).lower()
