"""What a thread's clock makes of looks that are right by chance, and of looks that are not."""

from __future__ import annotations

import random

import pytest

from apm_agent.profiling.doubt import Owed

MS = 1_000_000


@pytest.mark.parametrize(
    ("found", "least"),
    [
        pytest.param(1.0, 0.69, id="each look finds what is so"),
        pytest.param(2 / 3, 0.67, id="one in three comes late, and finds the wait that follows"),
    ],
)
def test_what_is_booked_as_computing_is_what_the_clock_says(found: float, least: float) -> None:
    """A thread computes 70 % of the time; looks are 10 to 57 ms apart."""
    chance, owed = random.Random(7), Owed()
    computing = whole = 0
    for _ in range(20_000):
        weight = chance.choice((10, 33, 57)) * MS
        owed.used(weight * 7 // 10, weight)
        seen = weight if chance.random() < 0.7 * found else owed.due(weight, True)
        if seen:
            owed.seen(seen)
        computing += seen
        whole += weight
    assert least < computing / whole < 0.715
