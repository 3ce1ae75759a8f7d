"""Whether numbers that scatter are above zero on average, or may well not be."""

from __future__ import annotations

import math
from collections.abc import Sequence

_STEPS = 200
_SMALL = 1e-300


def mean_above_zero(values: Sequence[float]) -> float:
    """The chance that values like these come from a mean of zero or less: one-sided one-sample t-test.

    Student, "The Probable Error of a Mean", Biometrika 6 (1908).
    """
    count = len(values)
    if count < 2:
        return 1.0
    mean = math.fsum(values) / count
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    if variance <= 0:
        return 0.0 if mean > 0 else 1.0
    return student_tail(mean / math.sqrt(variance / count), count - 1)


def batch_means(values: Sequence[float], size: int) -> list[float]:
    """Means of so many values in a row each; what is left over at the end is left out.

    Neighbours that hang together (memory taken by one call and given back by the next) would make a test on single
    values too sure; their batches hardly hang together, and are closer to normal. The method of batch means:
    Conway, "Some Tactical Problems in Digital Simulation", Management Science 10 (1963).
    """
    return [math.fsum(values[at : at + size]) / size for at in range(0, len(values) - size + 1, size)]


def holm(chances: Sequence[float]) -> list[float]:
    """Chances corrected for how many were looked at, so that among a hundred endpoints none seems to leak by luck.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    order = sorted(range(len(chances)), key=lambda at: chances[at])
    corrected, least = [1.0] * len(chances), 0.0
    for rank, at in enumerate(order):
        least = max(least, min(1.0, chances[at] * (len(chances) - rank)))
        corrected[at] = least
    return corrected


def student_tail(t: float, freedom: int) -> float:
    """The chance that Student's t with so many degrees of freedom is above `t`."""
    half = _beta_share(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2
    return half if t >= 0 else 1 - half


def _beta_share(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (DLMF 8.17.22, Lentz's method)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta_share(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    upper, lower, value = 1.0, 1 / _away(1 - (a + b) * x / (a + 1)), 1 / _away(1 - (a + b) * x / (a + 1))
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            lower = 1 / _away(1 + term * lower)
            upper = _away(1 + term / upper)
            value *= upper * lower
        if abs(upper * lower - 1) < 1e-14:
            break
    return front * value / a


def _away(value: float) -> float:
    return value if abs(value) > _SMALL else _SMALL
