"""The one thread of a process that carries transactions to the store: when it starts, sleeps, wakes, forks and ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from os import getpid
from typing import Any

from apm_agent.clock import Clock, system
from apm_agent.errors import contained
from apm_agent.model.record import Record
from apm_agent.model.transaction import Transaction
from apm_agent.recording import forks, native
from apm_agent.recording.carrier import Carrier
from apm_agent.recording.recorder import BATCH, Recorder
from apm_agent.store.base import Store

#: Seconds without traffic after which the thread sleeps until it is woken.
_QUIET = 5.0
_FORK_WAITS = 1.0
_ATTEND_EACH = 1.0
#: Seconds between two rounds while there is more to do: others may want the turn.
_SOON = 0.02
#: Batches before there is a look at whether to make room: a flood may never end. Fewer while there is room to be made.
_ROUND, _SHORT_ROUND = 10, 3

_writing = contained("writing to the store")
_attending = contained("attending to what is armed")


class Writer:
    """Drains the recorder each `interval` seconds while there is traffic, and sleeps when there is none.

    `open_store` is called on the first batch, and again after a fork; `digest` makes a transaction a record;
    `state` adds what others know to what the Health page shows of this process; `on_record` hears of each;
    `attend` is called at least once a second while there is traffic, and as the thread wakes when there was none.
    What becomes of batches, and the counts of it, is the carrier's.
    """

    def __init__(
        self,
        recorder: Recorder,
        open_store: Callable[[], Store],
        digest: Callable[[Transaction], Record],
        interval: float = 1.0,
        *,
        state: Callable[[], dict[str, Any]] = dict,
        on_record: Callable[[Record], None] | None = None,
        attend: Callable[[], None] | None = None,
        clock: Clock = system,
    ) -> None:
        self._recorder = recorder
        self._interval = max(0.01, interval)
        self._attend = attend
        self.carrier = Carrier(recorder, open_store, digest, state=state, on_record=on_record, clock=clock)
        self._closed = False
        self._make_anew()
        recorder.wake = self.wake
        forks.tell(self)

    def _make_anew(self) -> None:
        self._pid = getpid()
        self._running = False
        self._starting, self._turn, self._bell = native.lock(), native.lock(), native.lock()
        self._bell.acquire()
        self._stopped = self._more_to_prune = False

    def before_fork(self) -> None:
        """Finish the batch at hand and close the file, so that a child inherits no connection.

        SQLite keeps its locks by process and file, in memory that a fork copies: a child that inherits a
        connection takes its parent's locks for its own, and waits for ever or writes unguarded.
        """
        if self._pid != getpid():
            return
        self.carrier.stop = True
        self._stopped = self._turn.acquire(True, _FORK_WAITS)
        if self._stopped:
            self.carrier.close()

    def after_fork_in_parent(self) -> None:
        """Go on; the next batch opens the file again."""
        self.carrier.stop = False
        if self._stopped:
            self._stopped = False
            self._turn.release()

    def after_fork(self) -> None:
        """Make locks, thread and connection anew; the parent's are the parent's."""
        self.carrier.forget()
        self.carrier.make_anew()
        self._make_anew()

    def wake(self) -> None:
        """Start the thread, or wake it; called by the recorder, so it never waits."""
        if self._pid != getpid():
            self.after_fork()
        if self._closed:
            return
        self._recorder.asleep = False
        if self._running:
            self._ring()
        elif self._starting.acquire(False):
            try:
                if not self._running:
                    # Where no thread can start, the next full batch tries again and `flush` writes at exit.
                    self._running = native.start(self._run)
                    forks.at_end_of_child(self.flush)
            finally:
                self._starting.release()

    def flush(self, timeout: float = 2.0) -> bool:
        """Write all that waits, in the caller's thread; True when nothing is left after `timeout` seconds."""
        if self._pid != getpid():
            self.after_fork()
        deadline = time.monotonic() + timeout
        self.carrier.waiting += 1  # whole under the GIL: nothing in it lets another thread in
        try:
            if not self._turn.acquire(True, max(0.0, timeout)):
                return False
        finally:
            self.carrier.waiting -= 1
        try:
            return self.carrier.drain(deadline)
        finally:
            self._turn.release()

    def close(self, timeout: float = 2.0) -> None:
        """Write all that waits, end the thread and close the store."""
        self._closed = True
        self._ring()
        self.flush(timeout)
        if not self._turn.acquire(True, timeout):
            return
        try:
            self.carrier.forget()
        finally:
            self._turn.release()

    def stats(self) -> dict[str, Any]:
        """What the Health page shows of the writer."""
        return self.carrier.stats()

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:  # it rings already
            return

    def _run(self) -> None:
        pid = self._pid
        quiet = 0.0
        while not self._closed and getpid() == pid:
            more = self._more_to_prune or (len(self._recorder.queue) >= BATCH and self.carrier.may_try())
            wait = _SOON if more else self._interval
            self._wait(wait)
            busy = False
            with _writing:
                busy = self._round()
            quiet = 0.0 if busy else quiet + wait
            if quiet >= _QUIET and not self.carrier.held and not self._closed:
                self._sleep()
                quiet = 0.0

    def _wait(self, seconds: float) -> None:
        while True:
            if self._attend is not None:
                with _attending:
                    self._attend()
            rung = self._bell.acquire(True, min(seconds, _ATTEND_EACH))
            if rung or seconds <= _ATTEND_EACH or self._closed:
                return
            seconds -= _ATTEND_EACH

    def _sleep(self) -> None:
        recorder = self._recorder
        recorder.asleep = True
        # Whoever appended before seeing `asleep` is seen here; whoever appends after it wakes us.
        if not recorder.queue:
            self._bell.acquire()
        recorder.asleep = False

    def _round(self) -> bool:
        """Write what waits and prune a slice; True when there was anything to do."""
        if not self._recorder.queue and not self.carrier.held and not self._more_to_prune:
            return False
        if not self.carrier.may_try() or not self._turn.acquire(True, self._interval):
            return True
        try:
            self.carrier.drain(None, _SHORT_ROUND if self._more_to_prune else _ROUND)
            # The store is not at fault, and may stay open.
            if not self.carrier.held and not self.carrier.stop:
                self._more_to_prune = self.carrier.prune()
        finally:
            self._turn.release()
        return True
