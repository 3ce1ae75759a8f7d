"""Carries transactions from the queue to the store: one thread a process, a batch at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from os import getpid
from typing import Any

from apm_agent.clock import Clock, system
from apm_agent.errors import StoreError, contained
from apm_agent.model.record import Record
from apm_agent.model.transaction import Transaction
from apm_agent.recording import forks, native
from apm_agent.recording.recorder import BATCH, Recorder
from apm_agent.store.base import Store

_SECOND = 10**9
#: Seconds without traffic after which the thread sleeps until it is woken.
_QUIET = 5.0
_STATE_EACH = 5.0
_LONGEST_PAUSE = 30.0
_FORK_WAITS = 1.0
_ATTEND_EACH = 1.0

_digesting = contained("digesting a transaction")
_telling = contained("printing a transaction")
_writing = contained("writing to the store")
_pruning = contained("pruning the store")
_stating = contained("describing this process")
_attending = contained("attending to what is armed")


def _nothing() -> dict[str, Any]:
    return {}


class Writer:
    """Drains the recorder each `interval` seconds while there is traffic, and sleeps when there is none.

    `open_store` is called on the first batch, and again after a fork; `digest` makes a transaction a record;
    `state` adds what others know to what the Health page shows of this process; `on_record` hears of each;
    `attend` is called at least once a second while there is traffic, and as the thread wakes when there was none.
    When the store is at fault the batch is held and tried again after a pause that doubles up to 30 s; the
    queue meanwhile keeps the newest. `lost` counts what could not be kept at all.
    """

    def __init__(
        self,
        recorder: Recorder,
        open_store: Callable[[], Store],
        digest: Callable[[Transaction], Record],
        interval: float = 1.0,
        *,
        state: Callable[[], dict[str, Any]] = _nothing,
        on_record: Callable[[Record], None] | None = None,
        attend: Callable[[], None] | None = None,
        clock: Clock = system,
    ) -> None:
        self._recorder = recorder
        self._open_store = open_store
        self._digest = digest
        self._interval = max(0.01, interval)
        self._state = state
        self._on_record = on_record
        self._attend = attend
        self._clock = clock
        self._store: Store | None = None
        self._closed = False
        self._make_anew()
        recorder.wake = self.wake
        forks.tell(self)

    def _make_anew(self) -> None:
        self._pid = getpid()
        self._running = False
        self._starting, self._turn, self._bell = native.lock(), native.lock(), native.lock()
        self._bell.acquire()
        self._forking = self._stopped = False
        self._held: list[Record] = []
        self._pause = 0.0
        self._not_before = 0
        self._state_due = 0
        self._more_to_prune = False
        self.batches = self.errors = self.lost = self.cpu_ns = self.last_ns = self.max_ns = 0
        self.last_error: str | None = None
        self._began = self._clock.monotonic()

    def before_fork(self) -> None:
        """Finish the batch at hand and close the file, so that a child inherits no connection.

        SQLite keeps its locks by process and file, in memory that a fork copies: a child that inherits a
        connection takes its parent's locks for its own, and waits for ever or writes unguarded.
        """
        if self._pid != getpid():
            return
        self._forking = True  # whoever writes stops after this batch
        self._stopped = self._turn.acquire(True, _FORK_WAITS)
        if self._stopped and self._store is not None:
            with _writing:
                self._store.close()

    def after_fork_in_parent(self) -> None:
        """Go on; the next batch opens the file again."""
        self._forking = False
        if self._stopped:
            self._stopped = False
            self._turn.release()

    def after_fork(self) -> None:
        """Make locks, thread and connection anew; the parent's are the parent's."""
        store, self._store = self._store, None
        if store is not None:
            store.close()  # knows that it belongs to another process, and only forgets the file
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
        if not self._turn.acquire(True, max(0.0, timeout)):
            return False
        try:
            return self._drain(deadline)
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
            store, self._store = self._store, None
            if store is not None:
                with _writing:
                    store.close()
        finally:
            self._turn.release()

    def stats(self) -> dict[str, Any]:
        """What the Health page shows of the writer."""
        return {
            "batches": self.batches,
            "last_ms": round(self.last_ns / 1e6, 3),
            "max_ms": round(self.max_ns / 1e6, 3),
            "errors": self.errors,
            "cpu_ms": round(self.cpu_ns / 1e6, 3),
            "lost": self.lost,
            "waiting": len(self._held),
            "last_error": self.last_error,
        }

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:  # it rings already
            return

    def _run(self) -> None:
        pid = self._pid
        quiet = 0.0
        while not self._closed and getpid() == pid:
            wait = 0.02 if self._more_to_prune else self._interval
            self._wait(wait)
            busy = False
            with _writing:
                busy = self._round()
            quiet = 0.0 if busy else quiet + wait
            if quiet >= _QUIET and not self._held and not self._closed:
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
        if not self._recorder.queue and not self._held and not self._more_to_prune:
            return False
        if self._clock.monotonic() < self._not_before or not self._turn.acquire(True, self._interval):
            return True
        try:
            if self._drain(None) and self._store is not None:
                self._more_to_prune = False
                with _pruning:
                    self._more_to_prune = self._store.prune()
        finally:
            self._turn.release()
        return True

    def _drain(self, deadline: float | None) -> bool:
        """Write batches until none is left; False when the store is at fault, or it has to stop before."""
        while not self._forking:
            cpu, begun = self._clock.cpu(), self._clock.monotonic()
            try:
                records = self._next_batch()
                if not records:
                    return True
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                if not self._write(records, left):
                    return False
            finally:
                self.cpu_ns += self._clock.cpu() - cpu
            self.last_ns = self._clock.monotonic() - begun
            self.max_ns = max(self.max_ns, self.last_ns)
            if deadline is not None and time.monotonic() > deadline:
                return not self._recorder.queue
        return False

    def _next_batch(self) -> list[Record]:
        if self._held:
            return self._held
        records: list[Record] = []
        while len(records) < BATCH:
            transaction = self._recorder.take()
            if transaction is None:
                break
            self.lost += 1  # until it is a record
            with _digesting:
                records.append(self._digest(transaction))
                self.lost -= 1
            transaction.release()
        return records

    def _write(self, records: list[Record], timeout: float | None) -> bool:
        self._held = records
        state = self._due_state()
        unkeepable = True
        with _writing:
            try:
                self._opened().write(records, state, timeout)
            except StoreError as error:
                self._back_off(error)
                return False
            unkeepable = False
        self._held = []
        self._pause, self._not_before, self.last_error = 0.0, 0, None
        self.batches += 1
        if state is not None:
            self._state_due = self._clock.monotonic() + int(_STATE_EACH * _SECOND)
        if unkeepable:
            self.errors += 1
            self._write_singly(records)
        if self._on_record is not None:
            for record in records:
                with _telling:
                    self._on_record(record)
        return True

    def _write_singly(self, records: list[Record]) -> None:
        """One record broke the batch; find it, so that only it is lost."""
        for record in records:
            self.lost += 1
            with _writing:
                self._opened().write([record])
                self.lost -= 1

    def _back_off(self, error: StoreError) -> None:
        self.errors += 1
        self.last_error = str(error)
        _writing.note(error)
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause or 1.0)
        self._not_before = self._clock.monotonic() + int(self._pause * _SECOND)

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def _due_state(self) -> dict[str, Any] | None:
        if self._clock.monotonic() < self._state_due:
            return None
        state: dict[str, Any] = {
            "recorder": {**self._recorder.stats(), "lost": self.lost},
            "writer": self.stats(),
            "overhead": self._overhead(),
        }
        with _stating:
            state.update(self._state())
            sampler = state.get("sampler") or {}
            state["overhead"]["cpu_share"] += sampler.get("cpu_share") or 0.0
        return state

    def _overhead(self) -> dict[str, Any]:
        taken, elapsed = self._recorder.taken, self._clock.monotonic() - self._began
        return {
            "per_transaction_us": round(self.cpu_ns / taken / 1000, 1) if taken else None,
            "cpu_share": round(self.cpu_ns / elapsed, 6) if elapsed > 0 else 0.0,
        }
