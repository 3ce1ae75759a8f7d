"""Tells when a look came too late to be believed, and how much of its time was really spent elsewhere.

Our thread may get the GIL, or a processor, only because a worker has just blocked. What it then sees, a blocking
call, is not where the time went that was meant to be seen. Three facts are known for certain and are used here:

- whether the GIL was free when we woke (the kernel counts how often our thread had to wait). If it was, every other
  thread was in a call that gives the GIL up: so these calls become known;
- how late we came;
- how much processor time each thread has used since the last look. A thread in a blocking call cannot have spent
  more than that elsewhere, nor less when the look was late.

So of a late look that finds only calls that give the GIL up, as much time as the thread spent computing is taken
back and booked, marked as uncertain, on the code this transaction was last seen computing in; if there is none yet,
on the function that made the call, without a line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from apm_agent.model.profile import StackKey

#: A look this late was kept waiting by somebody; less is the time it takes to wake up.
LATE_NS = 200_000
_MOST = 20_000
_OFTEN = 16
_STAT = 80

_clock_of: Callable[[int], int] | None = getattr(time, "clock_gettime_ns", None)


def cpu_of(native_id: int) -> int | None:
    """Processor time of a thread of this process by the kernel's number for it; None where it cannot be asked."""
    if _clock_of is None or not native_id:
        return None
    try:
        # As the kernel numbers the clocks of threads. `time.pthread_getcpuclockid` would compute the same, but
        # crashes when the thread has ended meanwhile.
        return _clock_of(~native_id << 3 | 6)
    except OSError:
        return None


def computes(native_id: int) -> bool:
    """Whether a thread of this process is running or ready to run, rather than asleep; False where not known."""
    try:
        with open(f"/proc/self/task/{native_id}/stat", "rb") as file:
            return file.read(_STAT).rpartition(b") ")[2][:1] == b"R"
    except OSError:
        return False


class Sites:
    """Calls that were seen to give the GIL up, by code and instruction, and whether they compute meanwhile."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        #: (id of code, instruction) → [code, looks, times asked, times it was found computing]
        self._seen: dict[tuple[int, int], list[Any]] = {}

    def learn(self, key: StackKey, native_id: int) -> None:
        """The GIL was free, and this thread was here: it is a call that gives it up."""
        site = (id(key[0]), key[1])
        seen = self._seen.get(site)
        if seen is None:
            if len(self._seen) >= _MOST:
                self._seen.clear()
            seen = self._seen[site] = [key[0], 0, 0, 0]
        seen[1] += 1
        # Asking costs more than the rest of the look: often while the call is new, then now and then.
        if seen[1] <= _OFTEN or seen[1] % _OFTEN == 0:
            seen[2] += 1
            seen[3] += computes(native_id)

    def blocks(self, key: StackKey) -> bool:
        """Whether the innermost call is known to give up the GIL and to do nothing but wait."""
        seen = self._seen.get((id(key[0]), key[1]))
        return seen is not None and seen[3] * 8 <= seen[2]

    def keeps(self, key: StackKey) -> bool:
        """Whether the innermost call was never seen without the GIL: the thread was computing in Python."""
        return (id(key[0]), key[1]) not in self._seen
