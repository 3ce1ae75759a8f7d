"""The interpreter's switch interval, lowered for whoever of us must have the GIL soon, and then put back.

A thread that waits for the GIL asks for it only after a whole interval, 5 ms, in which nobody gave it up. Behind an
event loop that is never idle, or behind threads that compute, it may wait for seconds. Lowered, who has the GIL hands
it over within microseconds; that costs time only where several threads compute, for they then hand it to one another.

The application may set an interval of its own at any time: each time the value is changed it is also read, by one call
in C that lets no other thread in between, and what is not one of ours is the application's wish.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

#: Seconds: as soon as can be. Shorter costs more: who waits wakes this often for nothing while whoever holds the GIL
#: keeps it through a long call into C, or has no processor; and from about 10 µs on it does not sleep at all.
SOON = 1.01e-4
#: Seconds: soon enough where several threads compute, which hand the GIL to one another as often.
AMONG = 4.01e-4
#: Seconds: long enough to do what takes 0.1 ms without being asked to give the GIL back.
LATER = 9.97e-4

#: What Python answers then, for it counts whole microseconds. No round numbers, lest they be the application's own.
_OURS = frozenset(round(seconds * 1e6) * 1e-6 for seconds in (SOON, AMONG, LATER))
#: Seconds: Python drops what is below a microsecond; what it answered as 5e-05 it would take for 49 of them.
_SHORT = 4e-7
_read: Any = partial(sys.getswitchinterval)
_call: Any = partial.__call__


def _swap(seconds: float) -> float:
    """Set the interval and answer what it was."""
    both: tuple[Any, ...] = tuple(map(_call, (_read, partial(sys.setswitchinterval, seconds + _SHORT))))
    return float(both[0])


class Turns:
    """Who of us wishes for which interval; the shortest wish holds, unless the application's own is shorter still.

    Every thread may call every method at any time.
    """

    __slots__ = ("_own", "_wishes")

    def __init__(self) -> None:
        self._wishes: dict[str, float] = {}
        self._own = 0.0

    def wish(self, who: str, seconds: float) -> None:
        """Have the interval at most `SOON`, `AMONG` or `LATER`, until `done`."""
        if self._wishes.get(who) != seconds or sys.getswitchinterval() not in _OURS:
            self._wishes[who] = seconds
            self._hold()

    def sleep(self, who: str, seconds: float, sleep: Callable[[float], Any], interval: float = SOON) -> None:
        """Sleep with this interval, and have it `LATER` from the moment on at which the GIL is ours again.

        From the very moment: who gave it up is a few microseconds from counting until it asks for it back.
        """
        self.wish(who, interval)
        calls: tuple[Any, ...] = (
            partial(sleep, seconds),
            _read,
            partial(sys.setswitchinterval, LATER + _SHORT),
        )
        was = list(map(_call, calls))[1]  # no tuple: who meets one through `gc` while it is made, breaks it
        if was not in _OURS:
            _swap(was)  # the application's, set meanwhile
        self.wish(who, LATER)

    def done(self, who: str) -> None:
        """Put the application's interval back, unless somebody else still wishes."""
        if self._wishes.pop(who, None) is not None:
            self._hold()

    def after_fork(self) -> None:
        """In the child: who wished was another process."""
        if self._wishes:
            self._wishes.clear()
            self._hold()

    def _hold(self) -> None:
        while True:
            wish = min(self._wishes.values(), default=0.0)
            was = _swap(wish or self._own or sys.getswitchinterval())
            if was not in _OURS:
                self._own = was
                if was < wish or not wish:
                    _swap(was)
            if wish == min(self._wishes.values(), default=0.0):
                return  # else another thread's wish came or went meanwhile, and may have been overwritten


turns = Turns()
