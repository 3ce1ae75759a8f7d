"""The clocks, held in one hand so that a test can hold them instead.

All times are integer nanoseconds. Durations come from the monotonic clock only; the wall clock says *when*, never
*how long*, so a stepped wall clock moves no duration.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_THREAD_CLOCK: Callable[[], int] | None = getattr(time, "thread_time_ns", None)


def _no_thread_clock() -> int:
    return 0


class Clock:
    """Three clocks as callables returning nanoseconds; pass others to make a test exact."""

    __slots__ = ("cpu", "has_cpu", "monotonic", "wall")

    def __init__(
        self,
        monotonic: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], int] = time.time_ns,
        cpu: Callable[[], int] | None = _THREAD_CLOCK,
    ) -> None:
        self.monotonic = monotonic
        self.wall = wall
        #: False where the platform has no per-thread CPU clock: CPU times are then unknown, not zero.
        self.has_cpu = cpu is not None
        self.cpu: Callable[[], int] = cpu or _no_thread_clock


system = Clock()
"""The machine's own clocks."""
