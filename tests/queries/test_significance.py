"""The statistics against known tables, and that chance alone is hardly ever taken for a leak."""

from __future__ import annotations

import math
from random import Random

import pytest

from apm_agent.queries.leaks import Kept
from apm_agent.queries.significance import (
    Mean,
    batch_means,
    change,
    fewer_than_half,
    holm,
    mean_above_zero,
    more_often,
    ratio,
    student_tail,
)


@pytest.mark.parametrize(
    ("t", "freedom", "tail"),
    [
        # One-sided critical values as every table has them.
        (1.812461, 10, 0.05), (2.763769, 10, 0.01), (6.313752, 1, 0.05), (31.820516, 1, 0.01),
        (1.697261, 30, 0.05), (2.457262, 30, 0.01), (1.660234, 100, 0.05), (0.0, 7, 0.5), (-1.812461, 10, 0.95),
    ],
)  # fmt: skip
def test_students_table(t: float, freedom: int, tail: float) -> None:
    assert student_tail(t, freedom) == pytest.approx(tail, rel=1e-4)


def test_the_tail_of_one_degree_is_cauchys() -> None:
    for t in (0.1, 1.0, 12.0, 1e6):
        assert student_tail(t, 1) == pytest.approx(0.5 - math.atan(t) / math.pi, rel=1e-6)


def test_no_spread_and_too_few() -> None:
    assert mean_above_zero([]) == mean_above_zero([5.0]) == 1.0
    assert mean_above_zero([0.0, 0.0, 0.0]) == 1.0
    assert mean_above_zero([4.0, 4.0, 4.0]) == 0.0


def test_batches() -> None:
    assert batch_means([1, 3, 5, 7, 100], 2) == [2, 6]


def test_holm() -> None:
    assert holm([]) == []
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.9]) == [1.0, 1.0]


def noises(random: Random) -> dict[str, list[int]]:
    """What resident memory does where nothing leaks."""
    page = 4096
    count = random.randrange(60, 800)
    bursts = []
    while len(bursts) < count:  # taken by some calls in a row, given back at once
        run = random.randrange(1, 12)
        size = random.randrange(1, 60) * page
        bursts += [size] * run + [-size * run]
    held, cached = [], 0
    for _ in range(count):  # a cache that fills and empties around a level
        step = random.choice((-page, 0, 0, page)) - (cached > 0) * page + (cached < 0) * page
        cached += step
        held.append(step)
    return {
        "pages": [random.choice((-page, 0, 0, 0, page)) for _ in range(count)],
        "even": [round(random.gauss(0, 50_000)) for _ in range(count)],
        "heavy tails": [round(random.gauss(0, 1) * page / max(random.random(), 0.01)) for _ in range(count)],
        "nothing": [0] * count,
        "pairs": [page if at % 2 else -page for at in range(count)],
        "bursts": bursts[:count],
        "held": held,
        "once": [0] * (count - 1) + [40 * 2**20],
    }


def test_chance_is_hardly_ever_taken_for_a_leak() -> None:
    random = Random(20260921)
    rounds, alarms = 400, dict.fromkeys(noises(random), 0)
    for _ in range(rounds):
        for kind, values in noises(random).items():
            chance = Kept({1: values[: len(values) // 2], 2: values[len(values) // 2 :]}).chance
            assert chance is not None
            alarms[kind] += chance < 0.01
    # Four of 400 are to be expected at most; more than 12 would happen once in 4,000 times.
    assert {kind: count for kind, count in alarms.items() if count > 12} == {}


@pytest.mark.parametrize("a_call", [512, 2_000, 20_000])
def test_a_leak_that_takes_pages_now_and_then_is_seen(a_call: int) -> None:
    random = Random(7)
    found = 0
    for _ in range(50):
        values, owed = [], 0
        for _ in range(2_000):
            owed += a_call
            step = owed // 65_536 * 65_536  # memory comes from the system in pieces
            owed -= step
            values.append(step + random.choice((-4096, 0, 0, 4096)))
        chance = Kept({1: values}).chance
        found += chance is not None and chance < 0.01
    assert found == 50


def test_too_few_say_nothing() -> None:
    assert Kept({1: [4096] * 49}).chance is None
    assert Kept({}).chance is None


def test_fisher_is_exact() -> None:
    assert more_often(3, 4, 1, 4) == pytest.approx(17 / 70)  # the lady tasting tea
    random = Random(3)
    for _ in range(200):
        of, of_others = random.randint(1, 40), random.randint(1, 40)
        some, others = random.randint(0, of), random.randint(0, of_others)
        ways = sum(
            math.comb(of, each) * math.comb(of_others, some + others - each)
            for each in range(some, min(of, some + others) + 1)
        )
        exact = ways / math.comb(of + of_others, some + others)
        assert more_often(some, of, others, of_others) == pytest.approx(exact, rel=1e-9)
    assert more_often(0, 0, 5, 10) == more_often(5, 10, 0, 0) == more_often(0, 9, 0, 9) == 1
    assert 0 <= more_often(50_000, 1_000_000, 10_000, 9_000_000) < 1e-300


def test_the_bound_of_a_half_is_never_below_the_truth() -> None:
    for of in range(1, 60):
        for some in range(of + 1):
            exact = sum(math.comb(of, each) for each in range(some + 1)) / 2**of
            assert fewer_than_half(some, of) >= exact * (1 - 1e-12)
    assert fewer_than_half(0, 10) == pytest.approx(2**-10)
    assert fewer_than_half(5, 10) == fewer_than_half(0, 0) == 1


def test_a_change_has_the_interval_of_welch() -> None:
    # With one side known exactly it is Student's, whose 97.5 % point is 2.228 at 10 degrees of freedom.
    found = change(Mean(10.0, 0.0, 10), Mean(14.0, 4.0, 10))
    assert found.value == 4
    assert (found.low, found.high) == pytest.approx((4 - 4.456, 4 + 4.456), abs=2e-3)
    assert found.chance == pytest.approx(student_tail(2, 10))
    assert change(Mean(1, 0, 1), Mean(2, 0, 1)) == (1, 1, 1, 0)
    assert change(Mean(2, 0, 1), Mean(1, 0, 1)).chance == 1


def test_batches_of_one_size_are_a_plain_mean() -> None:
    values = [3.0, 5.0, 4.0, 8.0]
    found = ratio([(10, 10 * value) for value in values])
    assert found is not None
    assert found.value == 5
    assert found.variance == pytest.approx(sum((value - 5) ** 2 for value in values) / 3 / 4)
    assert ratio([(10, 50.0)]) is None


def test_intervals_of_batches_cover_the_truth() -> None:
    random = Random(11)
    covered = 0
    for _ in range(400):
        sides = []
        for mean in (20.0, 23.0):
            sizes = [random.randint(5, 50) for _ in range(20)]
            # What a minute has in common weighs more than what its calls differ in.
            level = [mean + random.gauss(0, 3) for _ in sizes]
            made = ratio(
                [(n, sum(random.gauss(at, 5) for _ in range(n))) for n, at in zip(sizes, level, strict=True)]
            )
            assert made is not None
            sides.append(made)
        found = change(*sides)
        covered += found.low <= 3 <= found.high
    assert covered >= 365  # 380 are to be expected; fewer than 365 would happen once in a thousand times
