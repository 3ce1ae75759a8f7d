"""The clocks, held in one hand so that a test can hold them instead.

All times are integer nanoseconds. Durations come from the monotonic clock only; the wall clock says *when*, never
*how long*, so a stepped wall clock moves no duration.
"""

from __future__ import annotations

import time
from collections.abc import Callable

#: Two looks so close are as good as one; most are within a microsecond. After so many tries the closest will do.
_CLOSE_NS, _TRIES = 20_000, 8
_LONGEST_NS = 2**63
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

    def wall_at(self, moment: int) -> int:
        """The wall time (Unix ns) at a moment of the monotonic clock, as the wall clock stands now.

        The two clocks cannot be read at once, and a thread that loses the processor or the GIL between its looks
        would put the moment milliseconds off, before others that began earlier. So the wall clock is read between
        two looks at the monotonic one, again until these lie close together, and the closest pair counts.
        """
        monotonic, wall = self.monotonic, self.wall
        found, closest = 0, _LONGEST_NS
        for _ in range(_TRIES):
            before = monotonic()
            now = wall()
            apart = monotonic() - before
            if apart < closest:
                found, closest = now - (before + apart // 2 - moment), apart
            if closest <= _CLOSE_NS:
                break
        return found


system = Clock()
"""The machine's own clocks."""
