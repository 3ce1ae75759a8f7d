"""A time by which something must be over, kept by a thread of its own that ends as soon as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.profiling.native import at_exit, original

_waiting = contained("waiting for a measurement to end")


class Deadline:
    """Calls `late` on its own thread after so many seconds, unless `met` is called before; never both."""

    __slots__ = ("_bell", "_late", "_lock", "_over", "_seconds", "missed")

    def __init__(self, seconds: float, late: Callable[[], None]) -> None:
        allocate = original("_thread", "allocate_lock")
        self._seconds = seconds
        self._late = late
        self._lock: Any = allocate()
        self._bell: Any = allocate()
        self._bell.acquire()
        self._over = False
        #: It was too late, and `late` has been called.
        self.missed = False
        if not at_exit():
            with _waiting:  # where no thread can start, there is no deadline
                original("_thread", "start_new_thread")(self._wait, ())

    def met(self) -> bool:
        """It is over: in time, or not; waits for `late` where that is at work."""
        with self._lock:
            self._over = True
        if self._bell.locked():
            self._bell.release()
        return not self.missed

    def _wait(self) -> None:
        if self._bell.acquire(True, self._seconds):
            return
        with self._lock, _waiting:
            if not self._over:
                self.missed = True
                self._late()
