"""The sampling thread: looks at the stacks of running transactions, at moments that have nothing to do with them.

One thread a process, started with the first transaction, asleep without a single wake-up while none is open. How it
chooses its moments and why is told in `moment`; who worked for whom in `attribution`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from os import getpid
from typing import Any

from apm_agent.clock import Clock, system
from apm_agent.errors import contained
from apm_agent.model.forked import claim
from apm_agent.model.transaction import Transaction
from apm_agent.model.turns import turns
from apm_agent.profiling import attribution
from apm_agent.profiling.allowance import Allowance
from apm_agent.profiling.collector import release
from apm_agent.profiling.look import Look
from apm_agent.profiling.moment import Moments
from apm_agent.profiling.native import at_exit, original, refusal

#: How long it keeps ticking after the last transaction ended, so that steady traffic never has to wake it.
_LINGER_NS = 500_000_000
_looking = contained("looking at stacks")
_telling = contained("telling what is in flight")


class Sampler:
    """Fills `transaction.samples`, and past their limit `transaction.weights`.

    `interval` is the time between two looks in seconds, `budget` the share of one core it may take on average: when
    looks cost more than that allows, they become rarer, never less truthful.
    """

    __slots__ = (
        "_allowance", "_awake_ns", "_begun", "_budget", "_clock", "_closed", "_cpu_ns", "_idle", "_interval_ns",
        "_late", "_lock", "_looked_ns", "_moments", "_ours", "_parked", "_pid", "_refused", "beside", "looks",
    )  # fmt: skip

    def __init__(self, interval: float = 0.01, budget: float = 0.01, clock: Clock = system) -> None:
        self._interval_ns = max(int(interval * 1e9), 100_000)
        self._budget = budget
        self._clock = clock
        self._refused = refusal()
        self.looks = Look(clock.monotonic)
        #: called after each tick with whether anything was open; answers the processor time it took
        self.beside: Callable[[bool], int] | None = None
        self._ours = claim()
        self._clear()

    def _clear(self) -> None:
        self._pid = 0
        self._ours[0] = 0
        #: the thread that began a transaction last, if one did since the last tick
        self._begun = 0
        #: whether it sleeps because nothing was at work, and whether until it is woken
        self._idle = False
        self._parked = False
        self._closed = False
        self._lock: Any = None
        self._moments = Moments(self._clock.monotonic)
        self._allowance = Allowance(self._interval_ns, self._budget)
        self._awake_ns = self._looked_ns = self._cpu_ns = 0
        self._late: deque[int] = deque(maxlen=500)

    def start(self, transaction: Transaction) -> None:
        """Put the calling thread or task at work for `transaction`; wake the sampler if it is parked."""
        if not self._ours[0]:
            self._ours[0] = 1  # nothing between the test and this lets another thread in
            self._pid = getpid()
            self._launch()
        attribution.begin(transaction)
        self._begun = transaction.thread_id
        if self._idle or transaction.start_ns > self._moments.overdue_ns:
            self._rouse()

    def stop(self, transaction: Transaction) -> None:
        """Take the transaction off its thread or task."""
        if attribution.end(transaction):
            self.looks.waiting.stop(transaction)

    def after_fork(self) -> None:
        """In the child: no thread runs and nothing is open; all begins anew with its first transaction."""
        turns.after_fork()
        release()
        attribution.forget()
        self.looks.waiting.forget()
        self._clear()

    def close(self) -> None:
        """Let the thread end; it does so at its next tick."""
        self._closed = True
        attribution.forget()
        self._wake()

    def stats(self) -> dict[str, Any]:
        """What the Health page shows of the sampler."""
        late = sorted(self._late)
        awake = self._awake_ns
        looks = self.looks
        return {
            "state": self._state(),
            "interval_ms": self._allowance.interval_ns() / 1e6,
            "achieved_per_s": looks.count / (self._looked_ns / 1e9) if self._looked_ns else None,
            "cpu_share": self._cpu_ns / awake if awake else 0.0,
            "budget": self._budget,
            "late_ms_p90": late[len(late) * 9 // 10] / 1e6 if late else None,
            "uncertain_share": looks.uncertain_ns / looks.booked_ns if looks.booked_ns else 0.0,
            "looks": looks.count,
        }

    def _state(self) -> str:
        if self._refused:
            return self._refused
        if self._closed:
            return "closed"
        if self._lock is None:
            return "not started"
        return "parked" if self._parked else "looking"

    def _launch(self) -> None:
        self._refused = self._refused or refusal()  # a server that has Python inside may have come only now
        if self._refused or self._closed:
            return
        if at_exit():
            self._pid = self._ours[0] = 0
            return
        if self._lock is not None:  # forked without Python's knowledge (uWSGI): the hooks never ran
            pid = self._pid
            self.after_fork()
            self._pid, self._ours[0] = pid, 1
        self._lock = original("_thread", "allocate_lock")()
        self._lock.acquire()
        self._moments.lower()
        try:
            original("_thread", "start_new_thread")(self._run, (self._pid,))
        except RuntimeError as error:  # no more threads: at exit, or the system's limit
            self._moments.restore()
            self._refused = f"off: {error}"

    def _rouse(self) -> None:
        if self._refused or self._closed:  # no thread is there to put the switch interval back
            return
        self._idle = False
        self._moments.lower()  # or it might not get the GIL to see what has begun
        if self._parked:
            self._wake()

    def _wake(self) -> None:
        self._parked = False
        try:
            self._lock.release()
        except (AttributeError, RuntimeError):
            pass  # never started, or another thread woke it at the same moment

    def _run(self, pid: int) -> None:
        moments = self._moments
        moments.prepare()
        with _looking:  # what is done for the first time takes longer than the GIL may be kept
            self.looks.take()
        monotonic, cpu = self._clock.monotonic, self._clock.cpu
        busy_ns = monotonic()
        self.looks.forget(busy_ns)
        while not self._closed and self._pid == pid:
            began, spent = monotonic(), cpu()
            with _looking:
                looked = self._tick(moments)
            self._account(began, spent, looked)
            if looked:
                busy_ns = monotonic()
            elif monotonic() - busy_ns > _LINGER_NS:
                since = monotonic()
                self._park()
                busy_ns = monotonic()
                self._allowance.passes(busy_ns - since)
                self.looks.forget(busy_ns)
                moments.begin(self._allowance.interval_ns())
        moments.restore()

    def _tick(self, moments: Moments) -> bool:
        begun, self._begun = self._begun, 0
        idents = attribution.idents()
        # Short transactions are mostly not there just now, for we run when somebody gives the GIL up between two.
        busy = bool(begun or idents)
        if begun:
            idents.add(begun)
        moments.approach(self._allowance.interval_ns(), len(idents) < 2)
        if not busy:
            self._idle = True
            if not self._begun:  # else it began between the first line and the last
                moments.rest()
            self._idle = False
            self.looks.forget(self._clock.monotonic())
            return False
        looks = self.looks
        moments.meet(looks.take)
        if self._closed:
            return False
        late_ns = moments.late_ns(looks.taken_ns)
        looks.book(moments.waited, late_ns, moments.gap_ns, moments.torn)
        self._late.append(late_ns)
        return True

    def _park(self) -> None:
        self._parked = self._idle = True
        # Else it began between the last test and the line above.
        if not attribution.anyone() and not self._closed:
            self._lock.acquire()
        self._parked = self._idle = False

    def _account(self, began: int, spent: int, looked: bool) -> None:
        cost = self._clock.cpu() - spent
        if looked:
            self._allowance.looked(cost)
        if self.beside is not None:
            with _telling:
                cost += self.beside(looked)
        took = self._clock.monotonic() - began
        self._allowance.passes(took, cost)
        self._cpu_ns += cost
        self._awake_ns += took
        if looked:
            self._looked_ns += took
