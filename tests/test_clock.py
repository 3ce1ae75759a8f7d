"""The wall time at a moment of the monotonic clock, whatever comes between two looks at the clocks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from apm_agent.clock import Clock

SECOND = 10**9
WALL = 1_790_000_000 * SECOND
MOMENT = 90 * SECOND


class Interrupted:
    """Both clocks in step; before its n-th look at either, a thread loses the nanoseconds its list gives."""

    def __init__(self, lost: Sequence[int]) -> None:
        self._lost = iter(lost)
        self._passed = SECOND

    def monotonic(self) -> int:
        self._passed += next(self._lost)
        return MOMENT + self._passed

    def wall(self) -> int:
        self._passed += next(self._lost)
        return WALL + self._passed


@pytest.mark.parametrize(
    ("lost", "off"),
    [
        ([0, 0, 0], 0),
        ([0, 0, 4_000], 2_000),
        ([0, 7_000_000, 0, 0, 0, 0], 0),
        ([0, 0, 7_000_000, 5_000_000, 100, 100], 0),
        ([0, 0, 40_000] + [0, 0, 30_000] * 7, 15_000),
        ([0, 0, 30_000] + [0, 40_000, 40_000] * 7, 15_000),
    ],
    ids=["at once", "close", "lost before the wall", "lost after it", "last is closest", "first is closest"],
)
def test_the_pair_read_closest_together_counts(lost: list[int], off: int) -> None:
    hand = Interrupted(lost)
    assert abs(Clock(hand.monotonic, hand.wall).wall_at(MOMENT) - WALL) == off


def test_a_clock_that_is_slow_to_read_is_not_asked_for_ever() -> None:
    looks = []

    def wall() -> int:
        looks.append(1)
        return WALL

    hand = iter(range(0, 10**12, SECOND))
    assert abs(Clock(lambda: next(hand), wall).wall_at(0) - WALL) <= SECOND
    assert len(looks) == 8
