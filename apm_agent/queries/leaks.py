"""Which endpoints keep memory call after call, and whether that is more than chance.

Only transactions count that had their process to themselves: what others took or gave back meanwhile cannot be told
from theirs. The first calls of an endpoint in each process fill caches and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from statistics import median
from typing import Any

from apm_agent.queries.alone import MOST_ROWS, Series, calls
from apm_agent.queries.connection import Connection
from apm_agent.queries.pauses import pauses
from apm_agent.queries.resident import resident
from apm_agent.queries.scope import scope_of
from apm_agent.queries.significance import Mean, batch_means, change, holm, mean_above_zero, ratio
from apm_agent.queries.units import kb
from apm_agent.queries.window import Window

_MOST_ENDPOINTS = 1000
#: Calls left out as warm-up, of an endpoint in a process: a share, and at least so many.
_WARM_UP, _LEAST_WARM_UP = 0.1, 5
#: A test is made of so many batches, of so many calls each at least.
_MOST_BATCHES, _FEWEST_BATCHES, _SMALLEST_BATCH = 30, 10, 5
_SURE = 0.01
#: Bytes in a thousand calls below which nobody minds.
_NOTHING = 64 * 1024
#: Of what an endpoint kept, so much at least must be left in its processes, or somebody else gives it back.
_LEFT = 0.2
_ENDS = 10

LEAKS, RETURNED, STEADY, TOO_FEW = "leaks", "returned", "steady", "too few"
METHOD = (
    "Kept: resident memory after minus before, of calls that had their process to themselves, without the first tenth "
    "in each process. The chance that it is none on average is Student's t-test on means of batches, corrected after "
    "Holm for the number of endpoints. 'leaks': under 1 %, at least 64 KB in 1,000 calls, and still there in the "
    "workers; 'returned': kept by the call, but given back between calls."
)


@dataclass(frozen=True)
class Kept:
    """What the calls of one endpoint kept, in bytes, process after process in order of time, warm-up left out."""

    by_process: dict[int, list[int]]
    #: of the calls that another followed: what they kept, and what of it was there as that other one began
    followed: int = 0
    stayed: int = 0

    @cached_property
    def values(self) -> list[int]:
        """Of all processes together, the smallest first."""
        return sorted(chain.from_iterable(self.by_process.values()))

    @property
    def chance(self) -> float | None:
        """That they keep nothing on average; None when there are too few to say."""
        return mean_above_zero(self._means) if len(self._means) >= _FEWEST_BATCHES else None

    @property
    def between(self) -> tuple[float, float] | None:
        """The 95 % interval of what a call keeps on average; None when there are too few to say."""
        means = self._means
        found = ratio([(1.0, mean) for mean in means]) if len(means) >= _FEWEST_BATCHES else None
        if found is None:
            return None
        interval = change(Mean(0.0, 0.0, 0.0), found)
        return interval.low, interval.high

    @cached_property
    def _means(self) -> list[float]:
        count = sum(map(len, self.by_process.values()))
        size = max(_SMALLEST_BATCH, -(-count // _MOST_BATCHES))
        return [mean for values in self.by_process.values() for mean in batch_means(values, size)]


def memory(connection: Connection, window: Window, service: str = "", release: str = "") -> dict[str, Any]:
    """A row an endpoint, those first that leak most; the workers over time; and the collector's pauses."""
    scope = scope_of(connection, service, release)
    found = calls(connection, window, scope.releases)
    every = {endpoint: count for endpoint, count in found.every.items() if endpoint in scope.endpoints}
    grown = _growth(found.sizes)
    alone: dict[int, dict[int, Series]] = {endpoint: {} for endpoint in every}
    for (endpoint, process), series in found.alone.items():
        if endpoint in every:
            alone[endpoint][process] = series
    kept = {endpoint: _kept(mine) for endpoint, mine in alone.items()}
    exclusive = {endpoint: sum(len(each.kept) for each in mine.values()) for endpoint, mine in alone.items()}
    tested = {endpoint: each.chance for endpoint, each in kept.items()}
    known = {endpoint: chance for endpoint, chance in tested.items() if chance is not None}
    corrected = dict(zip(known, holm(list(known.values())), strict=True))
    rows = [
        {
            **_row(scope.endpoints[endpoint], each, exclusive[endpoint], corrected.get(endpoint), grown),
            "overlapped": every[endpoint] - exclusive[endpoint],
        }
        for endpoint, each in kept.items()
    ]
    order = (LEAKS, RETURNED, STEADY, TOO_FEW)
    rows.sort(key=lambda row: (order.index(row["verdict"]), -(row["slope_kb"] or 0), row["name"]))
    return {
        "endpoints": rows[:_MOST_ENDPOINTS],
        "total": {
            "endpoint_count": len(rows),
            "calls": sum(every.values()),
            "exclusive": sum(exclusive.values()),
        },
        **resident(connection, window, service, scope, grown),
        "gc": pauses(connection, window, scope),
        "method": METHOD,
        "more": sum(every.values()) >= MOST_ROWS,
    }


def _warm(count: int) -> int:
    """How many of so many calls fill caches."""
    return max(_LEAST_WARM_UP, int(count * _WARM_UP))


def _kept(mine: dict[int, Series]) -> Kept:
    by_process = {}
    followed = stayed = 0
    for process, series in mine.items():
        warm = _warm(len(series.kept))
        if len(series.kept) > warm:
            by_process[process] = series.kept[warm:]
            followed += sum(series.kept[warm : len(series.stayed)])
            stayed += sum(series.stayed[warm:])
    return Kept(by_process, followed, stayed)


def _growth(sizes: dict[int, Series]) -> dict[int, int]:
    """By how much each process grew from the end of its warm-up to the end of the window."""
    grown = {}
    for process, (befores, afters) in sizes.items():
        warm = _warm(len(befores))
        if len(befores) - warm >= 2 * _ENDS:
            grown[process] = round(median(afters[-_ENDS:]) - median(befores[warm : warm + _ENDS]))
    return grown


def _row(
    endpoint: Any, kept: Kept, exclusive: int, chance: float | None, grown: dict[int, int]
) -> dict[str, Any]:
    values = kept.values
    total = sum(values)
    mean = total / len(values) if values else None
    low, high = kept.between or (None, None)
    return {
        "name": endpoint.name,
        "kind": endpoint.kind,
        "service": endpoint.service,
        "exclusive": exclusive,
        "counted": len(values),
        "mean_kb": kb(mean),
        "p50_kb": kb(median(values)) if values else None,
        "p95_kb": kb(values[min(len(values) - 1, int(len(values) * 0.95))]) if values else None,
        "total_kb": kb(total) if values else None,
        "slope_kb": None if mean is None else kb(mean * 1000),
        "slope_low_kb": None if low is None else kb(low * 1000),
        "slope_high_kb": None if high is None else kb(high * 1000),
        "p_value": None if chance is None else float(f"{chance:.3g}"),
        "verdict": _verdict(kept, total, mean, chance, grown),
    }


def _verdict(kept: Kept, total: int, mean: float | None, chance: float | None, grown: dict[int, int]) -> str:
    if chance is None or mean is None:
        return TOO_FEW
    if chance >= _SURE or mean * 1000 < _NOTHING:
        return STEADY
    if kept.followed > 0 and kept.stayed < _LEFT * kept.followed:
        return RETURNED
    # What is given back later, in a call of another endpoint, shows in the processes alone.
    left = [grown[process] for process in kept.by_process if process in grown]
    return RETURNED if left and sum(left) < _LEFT * total else LEAKS
