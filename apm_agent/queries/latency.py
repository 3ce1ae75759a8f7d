"""Percentiles, histograms and heatmaps as the pages read them, from the same buckets so that they agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from apm_agent.model.histogram import Histogram, edge
from apm_agent.queries.units import ms

#: Most bars of a histogram and most rows of a heatmap.
_MOST_BARS = 60
_MOST_ROWS = 32

QUANTILES = (0.5, 0.95, 0.99)


def merged(histograms: Iterable[bytes]) -> Histogram:
    """All of them added."""
    whole = Histogram()
    for data in histograms:
        whole.merge_bytes(data)
    return whole


def together(histograms: Iterable[Histogram]) -> Histogram:
    """One of several; those are left as they are."""
    whole = Histogram()
    for histogram in histograms:
        whole.merge(histogram)
    return whole


def percentiles(histogram: Histogram) -> tuple[float | None, float | None, float | None]:
    """p50, p95 and p99 in ms."""
    p50, p95, p99 = histogram.quantiles(QUANTILES)
    return ms(p50), ms(p95), ms(p99)


def bars(histogram: Histogram) -> dict[str, Any]:
    """``edges_ms`` (n + 1) and ``counts`` (n) of one histogram."""
    counts = histogram.counts
    low, step, n = _grid([counts], _MOST_BARS)
    return {"edges_ms": _edges(low, step, n), "counts": _folded(counts, low, step, n)}


def overlaid(before: Histogram, after: Histogram) -> dict[str, Any]:
    """``edges_ms`` (n + 1), and ``before`` and ``after`` (n each): two histograms on one grid."""
    columns = before.counts, after.counts
    low, step, n = _grid(columns, _MOST_BARS)
    return {
        "edges_ms": _edges(low, step, n),
        "before": _folded(columns[0], low, step, n),
        "after": _folded(columns[1], low, step, n),
    }


class Column:
    """Counts by bucket, folded once into steps of each size that is asked for: a page refreshes itself."""

    __slots__ = ("_folds", "counts")

    def __init__(self, counts: dict[int, int]) -> None:
        self.counts = counts
        self._folds: dict[int, dict[int, int]] = {}

    def folded(self, low: int, step: int, n: int) -> list[int]:
        """Counts of `n` steps from the bucket `low` on, which is the first of a step."""
        fold = self._folds.get(step)
        if fold is None:
            fold = {}
            for bucket, count in self.counts.items():
                fold[bucket // step] = fold.get(bucket // step, 0) + count
            self._folds[step] = fold
        return [fold.get(at, 0) for at in range(low // step, low // step + n)]


def heatmap(columns: Sequence[Column]) -> dict[str, Any]:
    """``edges_ms`` and the counts of each column, on one grid."""
    low, step, n = _grid([column.counts for column in columns], _MOST_ROWS)
    return {"edges_ms": _edges(low, step, n), "counts": [column.folded(low, step, n) for column in columns]}


def _grid(columns: Sequence[dict[int, int]], most: int) -> tuple[int, int, int]:
    """The first bucket, how many buckets make one step, and how many steps cover all in use; counts are ascending."""
    used = [bucket for counts in columns if counts for bucket in (next(iter(counts)), next(reversed(counts)))]
    if not used:
        return 0, 1, 0
    low, high = min(used), max(used)
    step = 1
    while high // step - low // step + 1 > most:
        step *= 2
    return low // step * step, step, high // step - low // step + 1


def _edges(low: int, step: int, n: int) -> list[float]:
    return [round(edge(low + step * number) / 1e6, 6) for number in range(n + 1)] if n else []


def _folded(counts: dict[int, int], low: int, step: int, n: int) -> list[int]:
    folded = [0] * n
    for bucket, count in counts.items():
        folded[(bucket - low) // step] += count
    return folded
