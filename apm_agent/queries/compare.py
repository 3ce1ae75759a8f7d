"""What changed between two windows, releases, transactions or stores: everything is per call, before and after.

Under `ENOUGH` calls on either side nothing is ranked and no change is claimed: the figures are there, and `thin` says
that they are too few.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from apm_agent.errors import QuestionError
from apm_agent.queries import latency, names
from apm_agent.queries.difference import flame, functions
from apm_agent.queries.profile import PRUNE
from apm_agent.queries.ran import Ran
from apm_agent.queries.rollups import Measured, Totals, added
from apm_agent.queries.scope import Endpoint
from apm_agent.queries.sides import Side, TransactionSide
from apm_agent.queries.surely import SURE, Known, surenesses
from apm_agent.queries.units import kb, kinds, mean, ms

#: Calls on each side.
ENOUGH = 30
_MOST = 200
#: A statement runs more or less often, or longer, when it does so by this share and by this much a call.
_SHARE, _RUNS, _MS = 0.1, 0.05, 0.1
APPEARED, VANISHED, CHANGED, SAME = "appeared", "vanished", "changed", "same"
_ORDER = (APPEARED, VANISHED, CHANGED, SAME)

#: Service, kind and name; without the service where each side has but one.
_Key = tuple[str, str, str]


class NothingError(QuestionError):
    """Neither side has a transaction."""


class Pair(NamedTuple):
    """The same before and after, and the service to show."""

    before: Measured
    after: Measured
    service: str


def compare(a: Side, b: Side, prune: float = PRUNE) -> dict[str, Any]:
    """The whole comparison, `a` before and `b` after."""
    pairs = _paired(a.measured(), b.measured())
    before, after = (
        added([pair.before for pair in pairs.values()]),
        added([p.after for p in pairs.values()]),
    )
    if not before.sums.count and not after.sums.count:
        raise NothingError("neither side has a transaction to compare")
    thin = _is_thin(before.sums.count, after.sums.count)
    profiles = a.profiled(), b.profiled()
    thin_profile = _is_thin(*(sum(part.transactions for part in parts) for parts in profiles))
    cells = a.cells(), b.cells()
    sure = {} if thin else surenesses(*map(Known, (before, after), [list(each.values()) for each in cells]))
    return {
        "a": {**a.described(), "count": before.sums.count, "seen": _seen(a, cells[0]), "profiled": _span(a)},
        "b": {**b.described(), "count": after.sums.count, "seen": _seen(b, cells[1]), "profiled": _span(b)},
        "thin": thin,
        "why_thin": _why_thin(before.sums.count, after.sums.count) if thin else None,
        "kpi": _kpi(before, after, a.one or b.one, sure),
        "kinds": _kinds(a, b, before.sums, after.sums),
        "histogram": latency.overlaid(before.histogram, after.histogram),
        "functions": functions(*profiles, thin or thin_profile),
        "statements": _statements(a.statements(), b.statements(), before.sums.count, after.sums.count, thin),
        "endpoints": [] if a.one or b.one or _apart(a, b) else _endpoints(pairs),
        "flame": flame(*profiles, prune),
    }


def _apart(a: Side, b: Side) -> bool:
    """Whether two endpoints are compared, each by itself: a table of endpoints would say nothing."""
    one, other = a.subject, b.subject
    return one is not None and other is not None and any(one[key] != other[key] for key in ("kind", "name"))


def _paired(
    a: Sequence[tuple[Endpoint, Measured]], b: Sequence[tuple[Endpoint, Measured]]
) -> dict[_Key, Pair]:
    named = any(len({endpoint.service for endpoint, _ in side}) > 1 for side in (a, b))
    shown: dict[_Key, str] = {}
    sides: list[dict[_Key, list[Measured]]] = [{}, {}]
    for side, found in zip((a, b), sides, strict=True):
        for endpoint, measured in side:
            key = (endpoint.service if named else "", endpoint.kind, endpoint.name)
            found.setdefault(key, []).append(measured)
            shown[key] = endpoint.service
    before, after = sides
    return {
        key: Pair(added(before.get(key, [])), added(after.get(key, [])), shown[key])
        for key in {**before, **after}
    }


def _is_thin(before: int, after: int) -> bool:
    return min(before, after) < ENOUGH


def _why_thin(before: int, after: int) -> str:
    calls = "call" if before == 1 else "calls"
    sides = f"{before} {calls} before and {after} after"
    return f"{sides}: under {ENOUGH} a side nothing is ranked and no change is claimed"


def _figures(measured: Measured, one: bool = False) -> dict[str, float | None]:
    sums = measured.sums
    p50, p95, p99 = (None, None, None) if one else latency.percentiles(measured.histogram)
    return {
        "count": sums.count,
        "mean_ms": ms(mean(sums.duration_ns, sums.count)),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "error_rate": _rounded(mean(sums.errors, sums.count)),
        "queries_per_call": _rounded(mean(sums.queries, sums.count)),
        "cpu_ms": ms(mean(sums.cpu_ns, sums.cpu_count)),
        "rss_kb": kb(mean(sums.rss_bytes, sums.rss_count)),
    }


def _kpi(
    before: Measured, after: Measured, one: bool, sure: Mapping[str, float | None]
) -> dict[str, dict[str, float | bool | None]]:
    """Each figure before and after, and the relative change and how sure it is where there are calls enough to tell.

    How many calls there were is no measure of anything: the sides may be of any length.
    """
    a, b = _figures(before, one), _figures(after, one)
    return {
        name: {
            "before": a[name],
            "after": b[name],
            "change": _change(a[name], b[name]) if name in sure else None,
            "sureness": sure.get(name),
            "significant": abs(sure.get(name) or 0.0) >= SURE,
        }
        for name in a
    }


def _kinds(a: Side, b: Side, before: Totals, after: Totals) -> list[dict[str, Any]]:
    """Milliseconds a call of each kind of time, and how many spans of it where single transactions are compared."""
    sides = [_per_call(sums) for sums in (before, after)]
    spans = [side.spans() if isinstance(side, TransactionSide) else None for side in (a, b)]
    return [
        {
            "kind": kind,
            "before_ms": sides[0][kind] if before.count else None,
            "after_ms": sides[1][kind] if after.count else None,
            "change_ms": round(sides[1][kind] - sides[0][kind], 6) if before.count and after.count else None,
            "before_spans": None if spans[0] is None else spans[0].get(kind, (0, 0))[0],
            "after_spans": None if spans[1] is None else spans[1].get(kind, (0, 0))[0],
        }
        for kind in sides[0]
        if sides[0][kind] or sides[1][kind]
    ]


def _per_call(sums: Totals) -> dict[str, float]:
    found = kinds(sums.duration_ns, sums.spans, sums.queue_ns)
    return {kind: round(value / max(1, sums.count), 6) for kind, value in found.items()}


def _span(side: Side) -> dict[str, float] | None:
    """From when to when the samples are: kept by ten minutes and more, so neighbours may share them."""
    span = side.profile_span()
    return {"from": float(span[0]), "to": min(float(span[1]), time.time())} if span else None


def _seen(side: Side, cells: Mapping[int, Measured]) -> dict[str, float] | None:
    """From when to when there were calls at all, as finely as they were read."""
    if isinstance(side, TransactionSide) or not cells:
        return None
    return {"from": float(min(cells)), "to": min(max(cells) + side.window.unit(), float(side.window.end))}


def _change(before: float | None, after: float | None) -> float | None:
    return round(after / before - 1, 4) if before and after is not None and before > 0 else None


def _endpoints(pairs: dict[_Key, Pair]) -> list[dict[str, Any]]:
    """Those first that cost most more or less time after, all their calls together; the thin ones last, by name."""
    rows = [_endpoint(key, pair) for key, pair in pairs.items()]
    rows.sort(
        key=lambda row: (
            row["thin"],
            0.0 if row["thin"] else -abs(row["cost_ms"]),
            row["name"],
            row["service"],
        )
    )
    return rows[:_MOST]


def _endpoint(key: _Key, pair: Pair) -> dict[str, Any]:
    _, kind, name = key
    whole = Endpoint(0, pair.service, kind, name, None)
    a, b = pair.before.sums, pair.after.sums
    before, after = _figures(pair.before), _figures(pair.after)
    thin = _is_thin(a.count, b.count)
    change = (
        (mean(b.duration_ns, b.count) or 0.0) - (mean(a.duration_ns, a.count) or 0.0)
        if a.count and b.count
        else None
    )
    return {
        "name": name,
        "kind": kind,
        "service": pair.service,
        "method": whole.method,
        "route": whole.route,
        "status": _status(
            a.count, b.count, not thin and abs(change or 0.0) > _SHARE * a.duration_ns / max(1, a.count)
        ),
        "before": before,
        "after": after,
        "change_ms": ms(change),
        "p95_change": None if thin else _change(before["p95_ms"], after["p95_ms"]),
        "cost_ms": ms(change * b.count) if change is not None else None,
        "thin": thin,
    }


def _status(before: int, after: int, differs: bool) -> str:
    if not before:
        return APPEARED
    if not after:
        return VANISHED
    return CHANGED if differs else SAME


def _statements(
    before: dict[str, Ran], after: dict[str, Ran], calls_before: int, calls_after: int, thin: bool
) -> list[dict[str, Any]]:
    """Those that appeared, vanished and changed first; by time a call where there is enough to rank, else by text."""
    rows = []
    for text in {**before, **after}:
        a, b = _ran(before.get(text), calls_before), _ran(after.get(text), calls_after)
        ran = after.get(text) or before[text]
        rows.append(
            {
                "id": str(ran.id) if ran.id else None,
                "text": text,
                "status": _status(a["runs"], b["runs"], _differs(a, b)),
                "before": a,
                "after": b,
                "change_ms": round(b["ms_per_call"] - a["ms_per_call"], 6),
                "where": names.where(ran.where),
            }
        )
    rows.sort(
        key=lambda row: (_ORDER.index(row["status"]), 0.0 if thin else -abs(row["change_ms"]), row["text"])
    )
    return rows[:_MOST]


def _ran(ran: Ran | None, calls: int) -> dict[str, Any]:
    runs, ns = (ran.runs, ran.duration_ns) if ran else (0, 0)
    return {
        "runs": runs,
        "runs_per_call": runs / calls if calls else 0.0,
        "ms_per_call": ns / calls / 1e6 if calls else 0.0,
        "mean_ms": ms(mean(ns, runs)),
    }


def _differs(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return any(
        abs(b[name] - a[name]) > max(_SHARE * a[name], least)
        for name, least in (("runs_per_call", _RUNS), ("ms_per_call", _MS))
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
