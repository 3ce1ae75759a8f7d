"""Whether numbers that scatter are above zero on average, or may well not be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

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


def more_often(some: int, of: int, others: int, of_others: int) -> float:
    """The chance of so many or more among the first, if both kinds had the same rate: Fisher's exact test, one-sided.

    Fisher, "On the Interpretation of χ² from Contingency Tables", Journal of the Royal Statistical Society 85 (1922).
    """
    whole, all_of = some + others, of + of_others
    if not of or not of_others or not whole:
        return 1.0
    most = min(whole, of)
    ways = (
        _choices(of, each) + _choices(of_others, whole - each) - _choices(all_of, whole)
        for each in range(max(some, whole - of_others), most + 1)
    )
    chance = 0.0
    for each in ways:
        term = math.exp(each)
        chance += term
        if term < chance * 1e-12:  # past the middle each is smaller than the one before
            break
    return min(1.0, chance)


def fewer_than_half(some: int, of: int) -> float:
    """At most the chance of so few or fewer, if each were one with a chance of a half or more.

    Hoeffding, "Probability Inequalities for Sums of Bounded Random Variables", JASA 58 (1963), theorem 1.
    """
    share = some / of if of else 1.0
    if share >= 0.5:
        return 1.0
    distance = share * math.log(2 * share) if share else 0.0
    return math.exp(-of * (distance + (1 - share) * math.log(2 * (1 - share))))


class Mean(NamedTuple):
    """A mean, the variance of that mean, and the degrees of freedom it is known with."""

    value: float
    variance: float
    freedom: float


class Change(NamedTuple):
    """The difference of two means, its 95 % interval, and the chance that it is zero or less."""

    value: float
    low: float
    high: float
    chance: float


def ratio(batches: Sequence[tuple[float, float]]) -> Mean | None:
    """The mean of what each batch of (how many, their sum) holds, from how it scatters between batches.

    The ratio estimator: Cochran, "Sampling Techniques", 3rd edition (1977), 6.3. None for less than two batches.
    """
    count = math.fsum(n for n, _ in batches)
    if len(batches) < 2 or not count:
        return None
    mean = math.fsum(total for _, total in batches) / count
    scatter = math.fsum((total - n * mean) ** 2 for n, total in batches)
    return Mean(mean, scatter * len(batches) / (len(batches) - 1) / count**2, len(batches) - 1)


def change(before: Mean, after: Mean) -> Change:
    """Welch's test, one-sided, and his interval: "The Generalization of 'Student's' Problem", Biometrika 34 (1947)."""
    difference, variance = after.value - before.value, before.variance + after.variance
    if variance <= 0:
        return Change(difference, difference, difference, 0.0 if difference > 0 else 1.0)
    freedom = variance**2 / math.fsum(
        each.variance**2 / each.freedom for each in (before, after) if each.freedom
    )
    error = math.sqrt(variance)
    wide = error * _quantile(0.025, round(freedom, 9))
    return Change(difference, difference - wide, difference + wide, student_tail(difference / error, freedom))


def _choices(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


@lru_cache(1000)
def _quantile(tail: float, freedom: float) -> float:
    """The t above which so much of Student's distribution lies."""
    low, high = 0.0, 1.0
    while student_tail(high, freedom) > tail and high < 1e6:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if student_tail(middle, freedom) > tail else (low, middle)
    return high


def student_tail(t: float, freedom: float) -> float:
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
