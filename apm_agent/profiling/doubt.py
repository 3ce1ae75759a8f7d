"""Tells which calls only wait, and when a thread found in one was really computing.

Our thread may get the GIL, or a processor, only because a worker has just blocked. What it then sees, a blocking
call, is not where the time went that was meant to be seen. What is known for certain:

- whether the GIL was free when we woke (the kernel counts how often our thread had to wait). If it was, every other
  thread was in a call that gives the GIL up: so these calls become known, with whether they compute or wait;
- how much processor time each thread has used since the last look.

So looks choose *where* the time went, and each thread's own clock *how much* of it was computing: what a thread
computed and was not seen computing is owed. A sample that finds the thread waiting pays it, marked as uncertain; where
it is booked instead, `elsewhere` tells. (The shape is that of post-stratification: a known total corrects a biased
sample.)

A thread that waits for the GIL in its own code uses no processor, so what is seen computing may exceed the clock.
The clock is a lower bound; it takes nothing away.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from opcode import opname
from types import CodeType

from apm_agent.model.profile import StackKey

#: A look this late was kept waiting by somebody; less is the time it takes to wake up.
LATE_NS = 100_000
_MOST = 20_000
_OFTEN = 16
_ENOUGH = 3
_STAT = 80
#: Looks whose time a thread may be behind, so that what is long past has no say.
_MEMORY = 4
#: And ahead: whether a look finds it computing is chance, and what chance put ahead must count against what it puts
#: behind later. With room for a few looks only, part of it is forgotten and each time too much is booked as computing.
_MEMORY_AHEAD = 64

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


class Owed:
    """Processor time a thread has used and was not seen using."""

    __slots__ = ("ns", "turn")

    def __init__(self) -> None:
        self.ns = 0
        #: how often, of late, it may have been this thread that gave the GIL up to us
        self.turn = 0.0

    def used(self, spent: int, weight: int) -> None:
        """Its clock went on by so much until this look, which is worth `weight`."""
        self.ns = min(self.ns + spent, _MEMORY * weight)

    def seen(self, weight: int) -> None:
        """It was seen computing, or is held to have been."""
        self.ns = max(self.ns - weight, -_MEMORY_AHEAD * weight)

    def due(self, weight: int, doubtful: bool) -> int:
        """How much of a sample that finds it waiting is held to be computing instead.

        Readily if the look is in doubt; one in time is believed until more than its whole time is owed.
        """
        due = min(weight, self.ns)
        return due if due * 4 >= weight and (doubtful or self.ns * 2 >= weight * 3) else 0

    def takes_turn(self, share: float) -> bool:
        """Whether it is held to be the one that gave the GIL up, being the one with this probability."""
        self.turn += share
        if self.turn < 0.5:
            return False
        self.turn -= 1.0
        return True


class Site:
    """A call that was seen while the GIL was free. Holds the code, so that its id stays true."""

    __slots__ = ("asked", "code", "free", "ready", "running", "waited")

    def __init__(self, code: CodeType) -> None:
        self.code = code
        #: looks that found a thread here while the GIL was free, and while its only claimant had to give it up
        self.free = self.waited = 0
        #: times asked what the thread was doing, found running, found running or ready to run
        self.asked = self.running = self.ready = 0

    def gives_up(self) -> bool:
        """Whether this call gives up the GIL."""
        return self.free >= _ENOUGH and self.free * 4 >= self.waited

    def computes(self) -> bool:
        """Whether it does more than wait, once it has given up the GIL."""
        return self.running * 8 > self.asked

    def waits(self) -> bool:
        """Whether this call gives up the GIL and does nothing but wait.

        A call that computes is seen running, or, where we push it off its processor, is always ready to. One that
        waits is now and then ready too: its wait is over, and it wants the GIL.
        """
        return self.gives_up() and not self.computes() and self.ready * 10 < self.asked * 9


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

    def waits(self, key: StackKey) -> bool:
        """Whether the innermost call is known to do nothing but wait."""
        site = self.of(key)
        return site is not None and site.waits()

    def computes_freely(self, key: StackKey) -> bool:
        """Whether the innermost call is known to compute without the GIL, and so wants a processor of its own."""
        site = self.of(key)
        return site is not None and site.gives_up() and site.computes()

    def holds(self, key: StackKey) -> bool:
        """Whether who is here has the GIL or waits for it: Python code, or a call that was never seen without it."""
        site = self.of(key)
        return site is None or not site.gives_up()

    def computes(self, key: StackKey, waited: bool) -> bool:
        """Whether a thread here is surely computing: it made us wait for the GIL, or is known to without it."""
        site = self.of(key)
        if site is None:
            return waited
        return site.computes() or (waited and site.free * 4 < site.waited)


def _is_call(code: CodeType, instruction: int) -> bool:
    # Anything else is Python itself, seen between giving the GIL up and our taking it.
    return instruction >= 0 and opname[code.co_code[instruction]].startswith(
        ("CALL", "PRECALL", "BEFORE_WITH")
    )
