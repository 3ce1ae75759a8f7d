"""How sure it is that a key figure of a comparison changed: how many standard deviations the change is from none.

How well a figure is known is taken twice, and the larger doubt counts: as if calls had nothing to do with each other
(their histogram says how they scatter), and from how the figure scatters between minutes, or hours in windows of a day
and more, because one slow minute is a single witness however many calls it holds. A percentile is tested by the share
of calls above that percentile of both sides together, which is Mood's test for the median and works for any other:
Mood, "Introduction to the Theory of Statistics" (1950), 16.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

from apm_agent.model.histogram import Histogram, middle
from apm_agent.queries import latency
from apm_agent.queries.latency import QUANTILES
from apm_agent.queries.rollups import Measured
from apm_agent.queries.significance import Mean, ratio, student_tail

#: So many standard deviations a change must be away from none: as for functions.
SURE = 3.0
#: What is certain, and as far as the scale goes.
_CERTAIN = 99.0
#: Rarer than this is told by t itself: no distribution is known so far out.
_RAREST = 1e-15
PERCENTILES = dict(zip(("p50_ms", "p95_ms", "p99_ms"), QUANTILES, strict=True))


class Known(NamedTuple):
    """One side: all of its calls, and the same by minute or hour where they were read so."""

    whole: Measured
    cells: Sequence[Measured]


def surenesses(before: Known, after: Known) -> dict[str, float | None]:
    """Figure → standard deviations of its change; None where there is nothing to judge by."""
    found: dict[str, float | None] = {name: _apart(before, after, *parts) for name, parts in _MEANS.items()}
    found["mean_ms"] = _of_means(before, after)
    found["error_rate"] = _of_shares(before, after, lambda cell: cell.sums.errors)
    both = latency.together((before.whole.histogram, after.whole.histogram))
    for name, quantile in PERCENTILES.items():
        border = both.quantile(quantile)
        found[name] = None if border is None else _of_shares(before, after, _above(border))
    return found


def _above(border: float) -> Callable[[Measured], float]:
    """Calls above it; those in its own bucket are half above, so that a side of equal calls has no say."""

    def count(cell: Measured) -> float:
        counts = cell.histogram.counts.items()
        return sum(
            n if middle(bucket) > border else n / 2 for bucket, n in counts if middle(bucket) >= border
        )

    return count


_Count = Callable[[Measured], float]
#: Figure → what it sums up, and of how many calls.
_MEANS: dict[str, tuple[_Count, _Count]] = {
    "queries_per_call": (lambda cell: cell.sums.queries, lambda cell: cell.sums.count),
    "cpu_ms": (lambda cell: cell.sums.cpu_ns, lambda cell: cell.sums.cpu_count),
    "rss_kb": (lambda cell: cell.sums.rss_bytes, lambda cell: cell.sums.rss_count),
}


def _apart(before: Known, after: Known, total: _Count, count: _Count) -> float | None:
    """Of a mean whose scatter between calls is not kept: from cells alone."""
    means = [
        ratio([(count(cell), total(cell)) for cell in side.cells if count(cell)]) for side in (before, after)
    ]
    return _deviations(means[0], means[1])


def _of_means(before: Known, after: Known) -> float | None:
    means = []
    for side in (before, after):
        alone = _alone(side.whole.histogram)
        cells = ratio([(cell.sums.count, cell.sums.duration_ns) for cell in side.cells if cell.sums.count])
        sums = side.whole.sums
        means.append(_larger(sums.duration_ns / max(1, sums.count), alone, cells))
    return _deviations(means[0], means[1])


def _alone(whole: Histogram) -> Mean:
    """The mean of calls that have nothing to do with each other."""
    counts = whole.counts
    count = sum(counts.values())
    mean = sum(n * middle(bucket) for bucket, n in counts.items()) / max(1, count)
    squares = math.fsum(n * (middle(bucket) - mean) ** 2 for bucket, n in counts.items())
    return Mean(mean, squares / max(1, count - 1) / max(1, count), max(1, count - 1))


def _of_shares(before: Known, after: Known, some: _Count) -> float | None:
    """Of the share of calls that are so: what both sides together have of it is the share if nothing changed."""
    counts = [side.whole.sums.count for side in (before, after)]
    if not all(counts):
        return None
    hits = [some(side.whole) for side in (before, after)]
    share = sum(hits) / sum(counts)
    means = []
    for side, hit, count in zip((before, after), hits, counts, strict=True):
        cells = ratio([(cell.sums.count, some(cell)) for cell in side.cells if cell.sums.count])
        means.append(_larger(hit / count, Mean(0.0, share * (1 - share) / count, count), cells))
    return _deviations(means[0], means[1])


def _larger(value: float, alone: Mean, cells: Mean | None) -> Mean:
    """The value with the larger doubt of both, and what that is known with."""
    doubt = cells if cells is not None and cells.variance > alone.variance else alone
    return Mean(value, doubt.variance, doubt.freedom)


def _deviations(before: Mean | None, after: Mean | None) -> float | None:
    if before is None or after is None:
        return None
    change, variance = after.value - before.value, before.variance + after.variance
    if not change:
        return 0.0
    if variance <= (change / _CERTAIN) ** 2:
        return math.copysign(_CERTAIN, change)
    freedom = variance**2 / math.fsum(each.variance**2 / each.freedom for each in (before, after))
    return round(math.copysign(_normal(abs(change) / math.sqrt(variance), freedom), change), 2)


def _normal(t: float, freedom: float) -> float:
    """Student's t as the deviations of a normal distribution that are as rare: of few minutes three are not much."""
    chance = student_tail(t, freedom)
    return -NormalDist().inv_cdf(chance) if chance > _RAREST else t
