"""Chooses the moments of looks so that they have nothing to do with what the application is doing.

A Python thread that wakes up and waits for the GIL gets it when a worker gives it up: at a blocking call, which
would then be booked with the CPU time before it. So each look has a planned moment, and our thread awaits it asleep
with the switch interval lowered: whoever holds the GIL then hands it over within microseconds, from wherever it is.

- One thread at work: nobody else wants the GIL, so the lowered interval costs nothing and lasts from one look to the
  next. Whatever we do there may need the GIL back, and at the usual interval who gives it up more often than that,
  only to take it again at once (an event loop that is never idle), is never asked for it.
- During the look itself it is high enough that nobody asks for the GIL back within the time a look takes, and low
  enough that we get it back soon if somebody did: who gave it to us may have begun to count before we could raise it.
- Several: they would hand the GIL around among themselves all the time, so it is lowered, and less, only from a while
  before the moment. That while is longer than the usual interval, for to lower it takes the GIL, and who has it then
  keeps it as long as that. If the GIL comes too late even so, the look is taken at once and known to be late.

The switch interval is put back as soon as nobody is at work.
"""

from __future__ import annotations

from _thread import get_native_id
from collections.abc import Callable
from typing import Any

from apm_agent.model.chance import random
from apm_agent.model.turns import AMONG, LATER, SOON, turns
from apm_agent.profiling.native import original
from apm_agent.profiling.prompt import be_prompt

#: A look this late must wait for a GIL that it does not get, for who has it gives it up all the time.
_OVERDUE_NS = 20_000_000
#: Where several compete for the GIL: as long as who has it keeps it from who asks, and a little. With less, stretches
#: of computing that end within it were mostly missed: of 17 % of the time 5 were seen.
_LEAD_NS = 5_300_000
#: Share of the interval within which a look falls at random, so that no periodic work keeps step with us.
_JITTER = 0.6
_AT_LEAST_NS = 20_000
_SLACK_NS = 1_000
_WHO = "sampler"


def _no_switches() -> int:
    return 0


def _count_switches() -> Callable[[], int]:
    """How often this thread has slept or waited, where the system counts it."""
    try:
        import resource

        who = resource.RUSAGE_THREAD
    except (ImportError, AttributeError):
        return _no_switches
    return lambda: resource.getrusage(who).ru_nvcsw


_switches = _count_switches()


class Moments:
    """Plans looks about an interval apart and waits for them."""

    __slots__ = (
        "_alone",
        "_asleep",
        "_grid_ns",
        "_monotonic",
        "_next_ns",
        "_sleep",
        "_slept",
        "gap_ns",
        "overdue_ns",
        "torn",
        "waited",
    )

    def __init__(self, monotonic: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._next_ns = self._grid_ns = 0
        self._alone = False
        self._asleep = 0
        self._slept = False
        self._sleep: Callable[[float], Any] = original("time", "sleep")
        #: from then on we should have looked, and need `lower` to get the GIL for it
        self.overdue_ns = _OVERDUE_NS
        #: time between the last two planned looks
        self.gap_ns = 0
        #: whether the GIL was not free at the last one, and whether it was lost again while looking
        self.waited = False
        self.torn = False

    def prepare(self) -> None:
        """Make this thread's timers sharp, and have it run when they ring.

        Linux rounds sleeps to 50 µs unless a thread asks for better.
        """
        be_prompt()
        try:
            with open(f"/proc/{get_native_id()}/timerslack_ns", "w") as file:
                file.write(str(_SLACK_NS))
        except OSError:
            pass  # another system, or /proc is read-only: looks come up to 50 µs later

    def begin(self, interval_ns: int) -> None:
        """Plan the first look after a pause, anywhere in the interval that starts now."""
        self._grid_ns = self._monotonic() - int(random() * interval_ns)

    def approach(self, interval_ns: int, alone: bool) -> None:
        """Plan the next look; with several threads at work, sleep until shortly before it."""
        self._grid_ns += interval_ns
        now = self._monotonic()
        self._grid_ns = max(self._grid_ns, now)
        before, self._next_ns = self._next_ns, self._grid_ns + int((random() - 0.5) * _JITTER * interval_ns)
        self.overdue_ns = self._next_ns + _OVERDUE_NS
        self.gap_ns = max(self._next_ns - before, 0)
        self._asleep = _switches()
        self._alone = alone
        if not alone:
            self.restore()
        pause = self._next_ns - _LEAD_NS - now
        self._slept = pause > 0 and not alone
        if self._slept:
            self._asleep += 1
            self._sleep(pause / 1e9)

    def rest(self) -> None:
        """Sleep until the next look was due; nobody is at work. Who sets to work meanwhile calls `lower`."""
        self.restore()
        pause = self._next_ns - self._monotonic()
        if pause > 0:
            self._sleep(pause / 1e9)

    def meet(self, take: Callable[[], None]) -> None:
        """Sleep until the moment with the switch interval lowered, and take the look."""
        late = self._monotonic() > self._next_ns
        if late:
            turns.wish(_WHO, LATER)
        else:
            self._asleep = _switches() + 1
            pause = max(self._next_ns - self._monotonic(), _AT_LEAST_NS) / 1e9
            turns.sleep(_WHO, pause, self._sleep, SOON if self._alone else AMONG)
        before = _switches()
        take()
        torn = _switches() != before
        if self._alone:
            self.lower()
        else:
            self.restore()
        if late and not self._slept:
            # We have had the GIL since the look before: nothing says who would have had it. And others that compete
            # for it made us late, so to sleep again would only make it later.
            self._asleep = -1
        self.waited = before > self._asleep  # each time it waited, beside the sleep itself
        self.torn = torn

    def late_ns(self, taken_ns: int) -> int:
        """How late the look was that was taken then."""
        return taken_ns - self._next_ns

    def lower(self) -> None:
        """Have the GIL handed over to our thread soon, until `restore`.

        Without it a thread that waits can wait for seconds: who gives the GIL up more often than every 5 ms, only to
        take it again at once, is never asked for it.
        """
        turns.wish(_WHO, SOON)

    def restore(self) -> None:
        """Put the switch interval back."""
        turns.done(_WHO)
