"""The statistics against known tables, and that chance alone is hardly ever taken for a leak."""

from __future__ import annotations

import math
from random import Random

import pytest

from apm_agent.queries.leaks import Kept
from apm_agent.queries.significance import batch_means, holm, mean_above_zero, student_tail


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
