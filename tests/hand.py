"""A clock held in the hand, so that times in tests are exact."""

from __future__ import annotations


class Hand:
    """`hand.move(5)` is five nanoseconds later."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now

    def move(self, by: int) -> None:
        self.now += by
