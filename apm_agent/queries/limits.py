"""Whether a store keeps within limits of another one, endpoint by endpoint, as far as its calls can tell.

A limit is *broken* where the calls after are worse than those before by more than it allows, and the chance that calls
as good as allowed look like that, corrected after Holm for the number of endpoints, is under `SURE`. It *holds* where
they show no such thing. Where there are so few that even the worst could not show it, nothing is said.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import NamedTuple

from apm_agent.errors import QuestionError
from apm_agent.model.transaction import TIMED_KINDS
from apm_agent.queries.compare import ENOUGH
from apm_agent.queries.connection import Connection
from apm_agent.queries.scope import scope_of
from apm_agent.queries.significance import Mean, change, holm, more_often

P95, QUERIES, ERRORS, RSS = "p95", "queries", "errors", "rss"
HOLDS, BROKEN, TOO_FEW = "holds", "broken", "too few"
#: The chance of calling any endpoint worse that is not, for each limit.
SURE = 0.01
_TAIL = 0.05
#: Newest transactions of a store that are read; calls of a process below which its memory is not known.
_MOST_ROWS, _LEAST_CALLS = 200_000, 20

METHODS = {
    P95: "quantile test (Johnson, Verrill and Moore 1987): Fisher's exact test of how many calls of each side are "
    "among the slowest 5 % of both, those before made slower by what is allowed",
    QUERIES: "Welch's t-test of the mean number of statements a call",
    ERRORS: "Fisher's exact test of failed calls, with as many failed before as is allowed more",
    RSS: "resident memory of the processes in the later half of their calls: Welch's t-test between processes; "
    "with one process on a side the difference itself, without a test",
}


class Limit(NamedTuple):
    """How much more is allowed: a share of what was before, or an amount (ns, statements, bytes, share of calls)."""

    name: str
    amount: float
    relative: bool
    text: str

    def of(self, before: float) -> float:
        """The most that is allowed after it was `before`."""
        return before * (1 + self.amount) if self.relative else before + self.amount


class Judged(NamedTuple):
    """One limit of one endpoint (empty for all processes): figures in the units of `Limit`, chance and verdict."""

    limit: Limit
    endpoint: str
    before: float | None
    after: float | None
    calls: tuple[int, int]
    chance: float | None
    verdict: str
    note: str = ""


class _Calls(NamedTuple):
    durations: list[int]
    queries: list[int]
    failed: list[int]


class _Read(NamedTuple):
    endpoints: dict[str, _Calls]
    resident: dict[int, list[int]]


class _Tested(NamedTuple):
    """Figures before and after, the chance, and the least chance that so many calls could ever show."""

    before: float
    after: float
    chance: float
    least: float


def judge(
    a: Connection, b: Connection, limits: Sequence[Limit], endpoints: Sequence[str] = (), service: str = ""
) -> list[Judged]:
    """Each limit for each endpoint that both stores have, or for those asked for; `QuestionError` for one unknown."""
    named = any(len({each.service for each in scope_of(store).endpoints.values()}) > 1 for store in (a, b))
    before, after = _read(a, service, named), _read(b, service, named)
    for name in endpoints:
        if name not in before.endpoints and name not in after.endpoints:
            known = ", ".join(sorted({*before.endpoints, *after.endpoints})[:20]) or "none"
            raise QuestionError(f"neither store has calls of {name[:60]!r}; endpoints are: {known}")
    both = [name for name in before.endpoints if name in after.endpoints]
    names = list(endpoints) or sorted(both)
    found: list[Judged] = []
    for limit in limits:
        found += (
            [_resident(limit, before, after)] if limit.name == RSS else _each(limit, names, before, after)
        )
    return found


def _read(connection: Connection, service: str, named: bool) -> _Read:
    known = scope_of(connection, service).endpoints
    names = {
        key: f"{each.service}: {each.name}" if named and not service else each.name
        for key, each in known.items()
        if each.kind in TIMED_KINDS
    }
    rows = connection.rows(
        "SELECT endpoint_id, process_id, duration_ns, queries, failed, rss_after FROM (SELECT * FROM transactions"
        " ORDER BY started_at DESC LIMIT ?) WHERE kept IS NOT 'captured'",
        (_MOST_ROWS,),
    )
    calls: dict[str, _Calls] = defaultdict(lambda: _Calls([], [], []))
    resident: dict[int, list[int]] = defaultdict(list)
    for endpoint, process, duration, queries, failed, rss in reversed(rows):
        if endpoint in known and rss is not None:
            resident[process].append(rss)
        if endpoint in names:
            mine = calls[names[endpoint]]
            mine.durations.append(duration)
            mine.queries.append(queries)
            mine.failed.append(failed)
    return _Read(dict(calls), resident)


def _each(limit: Limit, names: Sequence[str], before: _Read, after: _Read) -> list[Judged]:
    nothing = _Calls([], [], [])
    pairs = {
        name: (before.endpoints.get(name, nothing), after.endpoints.get(name, nothing)) for name in names
    }
    tested = {name: _TESTS[limit.name](limit, *pair) for name, pair in pairs.items() if _enough(*pair)}
    chances = dict(zip(tested, holm([each.chance for each in tested.values()]), strict=True))
    found = []
    for name, (a, b) in pairs.items():
        calls = len(a.durations), len(b.durations)
        if name not in tested:
            note = f"{calls[0]} calls before and {calls[1]} after; under {ENOUGH} a side nothing is judged"
            found.append(Judged(limit, name, None, None, calls, None, TOO_FEW, note))
            continue
        each, chance = tested[name], chances[name]
        if each.least * len(tested) >= SURE:
            verdict, note = (
                TOO_FEW,
                f"{calls[0]} calls before and {calls[1]} after; it takes {_needed(len(tested))}",
            )
        else:
            worse = chance < SURE and each.after > limit.of(each.before)
            verdict, note = (BROKEN if worse else HOLDS), ""
        found.append(Judged(limit, name, each.before, each.after, calls, chance, verdict, note))
    return found


def _enough(a: _Calls, b: _Calls) -> bool:
    return min(len(a.durations), len(b.durations)) >= ENOUGH


def _p95(limit: Limit, a: _Calls, b: _Calls) -> _Tested:
    allowed = [limit.of(each) for each in a.durations]
    slow = _slow(len(allowed) + len(b.durations))
    border = sorted([*allowed, *b.durations])[-slow - 1]
    return _Tested(
        _rank(a.durations),
        _rank(b.durations),
        more_often(_above(b.durations, border), len(b.durations), _above(allowed, border), len(allowed)),
        more_often(min(slow, len(b.durations)), len(b.durations), 0, len(allowed)),
    )


def _slow(of: int) -> int:
    return math.ceil(of * _TAIL)


def _above(values: Iterable[float], border: float) -> int:
    return sum(value > border for value in values)


def _rank(values: Sequence[int]) -> float:
    """The 95th percentile by nearest rank."""
    return float(sorted(values)[math.ceil((1 - _TAIL) * len(values)) - 1])


def _needed(endpoints: int) -> str:
    calls = ENOUGH
    while more_often(_slow(2 * calls), calls, 0, calls) * endpoints >= SURE:
        calls += 10
    return f"about {calls} on each side"


def _queries(limit: Limit, a: _Calls, b: _Calls) -> _Tested:
    before, after = _mean(a.queries), _mean(b.queries)
    scale = 1 + limit.amount if limit.relative else 1.0
    allowed = Mean(limit.of(before.value), before.variance * scale**2, before.freedom)
    return _Tested(before.value, after.value, change(allowed, after).chance, 0.0)


def _mean(values: Sequence[float]) -> Mean:
    count = len(values)
    mean = math.fsum(values) / count
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1) if count > 1 else 0.0
    return Mean(mean, variance / count, count - 1)


def _errors(limit: Limit, a: _Calls, b: _Calls) -> _Tested:
    of_before, of_after = len(a.failed), len(b.failed)
    before, after = sum(a.failed), sum(b.failed)
    most = min(of_before, math.ceil(limit.of(before / of_before) * of_before - 1e-9))
    return _Tested(
        before / of_before, after / of_after, more_often(after, of_after, most, of_before), 0.0
    )  # fmt: skip


def _resident(limit: Limit, before: _Read, after: _Read) -> Judged:
    sides = [
        [
            median(values[len(values) // 2 :])
            for values in read.resident.values()
            if len(values) >= _LEAST_CALLS
        ]
        for read in (before, after)
    ]
    calls = sum(map(len, before.resident.values())), sum(map(len, after.resident.values()))
    if not all(sides):
        note = f"resident memory is known of {calls[0]} calls before and {calls[1]} after; it takes {_LEAST_CALLS}"
        return Judged(limit, "", None, None, calls, None, TOO_FEW, note)
    a, b = _mean(sides[0]), _mean(sides[1])
    processes = f"{len(sides[0])} and {len(sides[1])} processes"
    chance = None
    worse = b.value > limit.of(a.value)
    if min(map(len, sides)) > 1:
        scale = 1 + limit.amount if limit.relative else 1.0
        chance = change(Mean(limit.of(a.value), a.variance * scale**2, a.freedom), b).chance
        worse = worse and chance < SURE
    else:
        processes += ", the difference itself"
    return Judged(limit, "", a.value, b.value, calls, chance, BROKEN if worse else HOLDS, processes)


_TESTS: dict[str, Callable[[Limit, _Calls, _Calls], _Tested]] = {
    P95: _p95,
    QUERIES: _queries,
    ERRORS: _errors,
}
