"""What happens to a batch: digested, written, held while the store is at fault, and counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from apm_agent.clock import Clock, system
from apm_agent.errors import StoreError, contained
from apm_agent.model.record import Record
from apm_agent.model.transaction import Transaction
from apm_agent.recording.recorder import BATCH, Recorder
from apm_agent.store.base import Store

_SECOND = 10**9
_STATE_EACH = 5.0
_LONGEST_PAUSE = 30.0

_digesting = contained("digesting a transaction")
_telling = contained("printing a transaction")
_writing = contained("writing to the store")
_pruning = contained("pruning the store")
_stating = contained("describing this process")


def _nothing() -> dict[str, Any]:
    return {}


class Carrier:
    """Carries from the recorder to the store; used by one thread at a time, which is the writer's to see to.

    When the store is at fault the batch is held and tried again after a pause that doubles up to 30 s; the queue
    meanwhile keeps the newest. `lost` counts what could not be kept at all.
    """

    def __init__(
        self,
        recorder: Recorder,
        open_store: Callable[[], Store],
        digest: Callable[[Transaction], Record],
        *,
        state: Callable[[], dict[str, Any]] = _nothing,
        on_record: Callable[[Record], None] | None = None,
        clock: Clock = system,
    ) -> None:
        self._recorder = recorder
        self._open_store = open_store
        self._digest = digest
        self._state = state
        self._on_record = on_record
        self._clock = clock
        self._store: Store | None = None
        #: whoever carries stops after the batch at hand
        self.stop = False
        #: how many wait to carry: no room is made meanwhile
        self.waiting = 0
        self.make_anew()

    def make_anew(self) -> None:
        """Begin at nothing: what was held is the parent's."""
        self.stop = False
        self.waiting = 0
        self.held: list[Record] = []
        self._pause = 0.0
        self._not_before = 0
        self._state_due = 0
        self.batches = self.errors = self.lost = self.cpu_ns = self.last_ns = self.max_ns = 0
        self.last_error: str | None = None
        self._began = self._clock.monotonic()

    def close(self) -> None:
        """Let go of the file; the next batch takes it up again."""
        if self._store is not None:
            with _writing:
                self._store.close()

    def forget(self) -> None:
        """Close, and open another one next time; after a fork it knows whose it is, and only forgets the file."""
        self.close()
        self._store = None

    def may_try(self) -> bool:
        """False during the pause after a fault."""
        return self._clock.monotonic() >= self._not_before

    def prune(self) -> bool:
        """A slice of making room; True while there is more."""
        if self._store is None:
            return False
        with _pruning:
            return self._store.prune(self._hurried)
        return False

    def _hurried(self) -> bool:
        return self.stop or self.waiting > 0

    def drain(self, deadline: float | None, most: int | None = None) -> bool:
        """Write batches until none is left; False when the store is at fault, or it has to stop before.

        `most` is how many of them at most.
        """
        done = 0
        while not self.stop and done != most:
            done += 1
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
        if self.held:
            return self.held
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
        self.held = records
        state = self._due_state()
        unkeepable = True
        with _writing:
            try:
                self._opened().write(records, state, timeout)
            except StoreError as error:
                self._back_off(error)
                return False
            unkeepable = False
        self.held = []
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

    def stats(self) -> dict[str, Any]:
        """What the Health page shows of the writer."""
        return {
            "batches": self.batches,
            "last_ms": round(self.last_ns / 1e6, 3),
            "max_ms": round(self.max_ns / 1e6, 3),
            "errors": self.errors,
            "cpu_ms": round(self.cpu_ns / 1e6, 3),
            "lost": self.lost,
            "waiting": len(self.held),
            "last_error": self.last_error,
        }
