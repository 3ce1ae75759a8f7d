"""Endpoints put together by the code that answers them: by view, by module (a blueprint or router), by application."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from apm_agent.errors import QuestionError
from apm_agent.model.histogram import Histogram
from apm_agent.model.transaction import TIMED_KINDS
from apm_agent.queries.connection import Connection
from apm_agent.queries.endpoints import releases
from apm_agent.queries.latency import percentiles
from apm_agent.queries.rollups import Measured, Totals, measure
from apm_agent.queries.scope import Endpoint, check_kind, scope_of
from apm_agent.queries.units import kb, kinds, mean, millis, ms
from apm_agent.queries.window import Window

#: Under so many calls on either side a change of p95 says nothing.
_ENOUGH = 20
#: The name of those whose view is not known.
NONE = "(no view)"


def _module(view: str) -> str:
    return view.partition(":")[0]


def _application(view: str) -> str:
    """The package of the view's module, which is Django's application; a module at the top is its own."""
    module = _module(view)
    return module.rpartition(".")[0] or module


#: By what endpoints are put together → the name of a view's group.
BY: dict[str, Callable[[str], str]] = {"view": lambda view: view, "module": _module, "app": _application}

Fetched = dict[str, Any]


class _Group(NamedTuple):
    """Who stands together, and what they add up to."""

    name: str
    service: str
    members: list[Endpoint]
    measured: Measured


def groups(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    by: str,
    kind: str = "",
    text: str = "",
    service: str = "",
    release: str = "",
) -> Fetched:
    """One row a group, the costliest first: sums are added, and percentiles are of all its calls together."""
    check_kind(kind)
    if by not in BY:
        raise QuestionError(f"by={by[:40]!r} is not one of {', '.join(BY)}")
    scope = scope_of(connection, service, release)
    members = [each for each in scope.endpoints.values() if _matches(each, kind, text)]
    now = measure(connection, window, scope.releases)
    before = {
        (group.service, group.name): group.measured
        for group in _grouped(members, measure(connection, window.previous(), scope.releases), by)
    }
    found = _grouped(members, now, by)
    everything_ns = sum(
        each.sums.duration_ns
        for key, each in now.items()
        if key in scope.endpoints and scope.endpoints[key].kind in TIMED_KINDS
    )
    found.sort(key=lambda group: (-group.measured.sums.duration_ns, group.name, group.service))
    return {
        "groups": [
            _row(window, group, everything_ns, before.get((group.service, group.name))) for group in found
        ],
        **filters(connection, service),
    }


def filters(connection: Connection, service: str = "") -> Fetched:
    """What a question may be narrowed by: services, and the releases of one or of all."""
    rows = connection.rows("SELECT DISTINCT service FROM endpoints ORDER BY 1")
    return {"services": [row[0] for row in rows], "releases": releases(connection, service)}


def _matches(endpoint: Endpoint, kind: str, text: str) -> bool:
    if endpoint.kind not in ((kind,) if kind else TIMED_KINDS):
        return False
    wanted = text.lower()
    return not wanted or wanted in endpoint.name.lower() or wanted in (endpoint.view or "").lower()


def _grouped(members: list[Endpoint], measured: dict[int, Measured], by: str) -> list[_Group]:
    together: dict[tuple[str, str], list[Endpoint]] = defaultdict(list)
    for each in members:
        if each.id in measured:
            together[each.service, BY[by](each.view) if each.view else NONE].append(each)
    made = []
    for (service, name), many in together.items():
        histogram = Histogram()
        for each in many:
            histogram.merge(measured[each.id].histogram)
        sums = Totals.of(measured[each.id].sums for each in many)
        made.append(_Group(name, service, many, Measured(sums, histogram)))
    return made


def _row(window: Window, group: _Group, everything_ns: int, before: Measured | None) -> dict[str, Any]:
    sums = group.measured.sums
    p50, p95, p99 = percentiles(group.measured.histogram)
    was = ms(before.histogram.quantile(0.95)) if before is not None and before.sums.count >= _ENOUGH else None
    return {
        "name": group.name,
        "service": group.service,
        "endpoints": len(group.members),
        "count": sums.count,
        "share": round(sums.duration_ns / everything_ns, 6) if everything_ns else 0.0,
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
        "per_min": round(sums.count / window.minutes, 3),
        "kinds": kinds(sums.duration_ns, sums.spans, sums.queue_ns),
        "p95_change": round(p95 / was - 1, 4) if p95 is not None and was and sums.count >= _ENOUGH else None,
    }
