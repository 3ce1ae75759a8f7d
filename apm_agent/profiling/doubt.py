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
from opcode import opname
from types import CodeType

from apm_agent.model.profile import StackKey

#: A look this late was kept waiting by somebody; less is the time it takes to wake up.
LATE_NS = 200_000
_MOST = 20_000
_OFTEN = 16
_ENOUGH = 3
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


def is_ready(native_id: int) -> bool:
    """Whether a thread of this process is running or ready to run, rather than asleep; False where not known."""
    try:
        with open(f"/proc/self/task/{native_id}/stat", "rb") as file:
            return file.read(_STAT).rpartition(b") ")[2][:1] == b"R"
    except OSError:
        return False


class Site:
    """A call that was seen while the GIL was free. Holds the code, so that its id stays true."""

    __slots__ = ("asked", "code", "free", "ready", "running", "waited")

    def __init__(self, code: CodeType) -> None:
        self.code = code
        #: looks that found a thread here while the GIL was free, and while its only claimant had to give it up
        self.free = self.waited = 0
        #: times asked what the thread was doing, found running, found running or ready to run
        self.asked = self.running = self.ready = 0

    def blocks(self) -> bool:
        """Whether this call gives up the GIL and does nothing but wait.

        A call that computes is seen running, or, where we push it off its processor, is always ready to. One that
        waits is now and then ready too: its wait is over, and it wants the GIL.
        """
        gives_up = self.free >= _ENOUGH and self.free * 4 >= self.waited
        return gives_up and self.running * 8 <= self.asked and self.ready * 10 < self.asked * 9


class Sites:
    """Calls by code and instruction, as looks come to know them."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], Site | None] = {}

    def of(self, key: StackKey) -> Site | None:
        """The innermost call of a stack, if it is one and was seen before."""
        return self._seen.get((id(key[0]), key[1]))

    def learn(self, key: StackKey) -> bool:
        """The GIL was free, and a thread was here; answers whether to ask what it does."""
        at = (id(key[0]), key[1])
        if at not in self._seen:
            if len(self._seen) >= _MOST:
                self._seen.clear()
            self._seen[at] = Site(key[0]) if _is_call(*key[:2]) else None
        site = self._seen[at]
        if site is None:
            return False
        site.free += 1
        # Asking costs more than the rest of the look: often while the call is new, then now and then.
        return site.free <= _OFTEN or site.free % _OFTEN == 0

    def blocks(self, key: StackKey) -> bool:
        """Whether the innermost call is known to do nothing but wait."""
        site = self.of(key)
        return site is not None and site.blocks()

    def computes(self, key: StackKey, waited: bool) -> bool:
        """Whether a thread here is surely computing: it made us wait for the GIL, or is known to without it."""
        site = self.of(key)
        if site is None:
            return waited
        return site.running * 8 > site.asked


def _is_call(code: CodeType, instruction: int) -> bool:
    # Anything else is Python itself, seen between giving the GIL up and our taking it.
    return instruction >= 0 and opname[code.co_code[instruction]].startswith(
        ("CALL", "PRECALL", "BEFORE_WITH")
    )
