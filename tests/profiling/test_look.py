"""Looks with a held clock at real threads: what each is worth, exactly."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from apm_agent.model.origin import Origin
from apm_agent.model.profile import RUNNING, UNCERTAIN
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.collector import held
from apm_agent.profiling.frames import resolve
from apm_agent.profiling.look import Look

MS = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


class Worker:
    """A thread that computes when told to and blocks in between; tells how much processor time it used."""

    def __init__(self) -> None:
        self.go = threading.Lock()
        self.go.acquire()
        self.blocked = threading.Event()
        self.stop = False
        self.cpu_ns = 0
        self.thread = threading.Thread(target=self.run)
        self.transaction = Transaction("web", "GET /", 0)
        self.thread.start()
        self.rest()

    def run(self) -> None:
        attribution.begin(self.transaction)
        while True:
            self.blocked.set()
            self.go.acquire()
            if self.stop:
                return
            before = time.thread_time_ns()
            self.compute()
            self.cpu_ns = time.thread_time_ns() - before

    def compute(self) -> None:
        until = time.thread_time_ns() + 50 * MS
        while time.thread_time_ns() < until:
            pass

    def rest(self) -> None:
        """Wait until it is in `acquire` and has gone to sleep there."""
        self.blocked.wait()
        self.blocked.clear()
        native, last = self.thread.native_id, -1.0
        assert native is not None
        while True:
            spent = time.clock_gettime(~native << 3 | 6)
            if spent == last:
                return
            last = spent
            time.sleep(0.005)

    def work(self) -> None:
        self.go.release()
        self.rest()

    def end(self) -> None:
        self.stop = True
        self.go.release()
        self.thread.join()


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.end()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_sample_is_worth_the_time_since_the_look_before(worker: Worker, clock: Clock) -> None:
    look = Look(clock)
    for at in (10, 20, 50):
        clock.now = at * MS
        look.look(planned_ns=10 * MS)
    assert [(s.at_ns // MS, s.weight_ns // MS, s.state) for s in worker.transaction.samples] == [
        (10, 10, RUNNING), (20, 10, RUNNING), (50, 30, RUNNING),
    ]  # fmt: skip
    stack = resolve(worker.transaction.samples[0].stack, Origin())
    assert [frame.function.rpartition(".")[2] for frame in stack][-1] == "run"
    assert look.count == 3
    assert look.booked_ns == 50 * MS


def test_the_first_look_is_worth_an_interval_but_a_late_one_no_more_than_was_there(
    worker: Worker, clock: Clock
) -> None:
    look = Look(clock)
    look.forget(100 * MS)
    worker.transaction.start_ns = 0
    attribution.threads[worker.thread.ident] = (worker.transaction, 107 * MS)
    clock.now = 110 * MS
    look.look(planned_ns=10 * MS)  # began 3 ms ago, and looks are 10 ms apart
    attribution.threads[worker.thread.ident] = (worker.transaction, 125 * MS)
    clock.now = 150 * MS
    look.look(planned_ns=10 * MS)  # 30 ms late, but it began 25 ms ago
    assert [s.weight_ns // MS for s in worker.transaction.samples] == [10, 25]


def test_time_with_nobody_at_work_is_nobodys(worker: Worker, clock: Clock) -> None:
    look = Look(clock)
    clock.now = 500 * MS
    look.forget(495 * MS)
    look.look(planned_ns=10 * MS)
    assert [s.weight_ns // MS for s in worker.transaction.samples] == [5]


def test_an_ended_transaction_gets_nothing_more(worker: Worker, clock: Clock) -> None:
    look = Look(clock)
    clock.now = 10 * MS
    worker.transaction.ended = True
    look.look()
    assert not worker.transaction.samples


def test_a_thread_that_is_gone_is_forgotten(clock: Clock) -> None:
    transaction = Transaction("web", "x", 0)
    thread = threading.Thread(target=attribution.begin, args=(transaction,))
    thread.start()
    thread.join()
    assert attribution.anyone()
    look = Look(clock)
    # Its number may already belong to another thread only if one was started; none was.
    look.look()
    assert not attribution.threads
    assert not transaction.samples


def test_past_the_limit_samples_are_summed_by_stack(worker: Worker, clock: Clock) -> None:
    look = Look(clock)
    for _ in range(2100):
        clock.now += MS
        look.look(planned_ns=MS)
    transaction = worker.transaction
    assert len(transaction.samples) == 2000
    assert transaction.weights is not None
    assert list(transaction.weights.values()) == [100 * MS]
    assert transaction.lost_samples == 0
    assert len({id(s.stack) for s in transaction.samples}) == 1, "one stack is kept once"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the kernel for another thread's time")
def test_a_late_look_books_what_was_computed_where_it_was_computed(worker: Worker, clock: Clock) -> None:
    look = Look(clock)
    for at in (98, 99, 100):
        clock.now = at * MS
        look.look(waited=False, planned_ns=MS)  # the GIL was free: `acquire` is known to give it up
    samples = worker.transaction.samples
    del samples[:2]
    worker.work()
    clock.now = 200 * MS
    look.look(waited=True, planned_ns=100 * MS)
    assert [s.state for s in samples] == [RUNNING, UNCERTAIN, RUNNING]
    elsewhere, blocked = samples[1].weight_ns, samples[2].weight_ns
    assert elsewhere + blocked == 100 * MS
    assert worker.cpu_ns <= elsewhere < worker.cpu_ns + 5 * MS
    assert samples[1].stack[1] == -1, "somewhere in the function that made the call"
    assert samples[2].stack == samples[0].stack

    worker.go.release()
    while key_function(worker) != "compute":
        time.sleep(0.001)
    clock.now = 300 * MS
    look.look(waited=True, planned_ns=100 * MS)  # caught computing: the open question is answered
    assert samples[3].state == RUNNING
    assert "compute" in names(samples[1].stack)
    assert samples[1].stack == samples[3].stack
    # That look was worth 100 ms of computing, more than the thread's clock had gone on: nothing more is owed yet.
    worker.rest()
    worker.work()
    clock.now = 400 * MS
    look.look(late_ns=MS, planned_ns=100 * MS)
    worker.work()
    clock.now = 500 * MS
    look.look(late_ns=MS, planned_ns=100 * MS)
    assert [s.state for s in samples[4:]] == [RUNNING, UNCERTAIN, RUNNING]
    assert samples[5].stack == samples[3].stack
    assert look.uncertain_ns == elsewhere + samples[5].weight_ns
    computed = look.uncertain_ns + samples[3].weight_ns
    assert computed == pytest.approx(4 * worker.cpu_ns, abs=10 * MS)


def key_function(worker: Worker) -> str:
    frame = sys._current_frames().get(worker.thread.ident or 0)
    return frame.f_code.co_name if frame is not None else ""


def names(stack: tuple[object, ...]) -> set[str]:
    return {code.co_name for code in stack[::2]}  # type: ignore[attr-defined]


def test_a_look_in_time_is_believed(worker: Worker, clock: Clock) -> None:
    look = Look(clock)
    for at in (100, 200):
        clock.now = at * MS
        look.look(waited=False, planned_ns=100 * MS)
        worker.work()
    clock.now = 300 * MS
    look.look(waited=False, planned_ns=100 * MS)
    assert {s.state for s in worker.transaction.samples} == {RUNNING}


@pytest.mark.parametrize("threshold", [(700, 10, 10), (0, 5, 5)])
def test_r01_the_collector_is_as_it_was_after_a_look(
    worker: Worker, clock: Clock, threshold: tuple[int, int, int]
) -> None:
    was, enabled = gc.get_threshold(), gc.isenabled()
    try:
        gc.set_threshold(*threshold)
        Look(clock).look()
        assert worker.transaction.samples or not clock.now
        assert (gc.get_threshold(), gc.isenabled()) == (threshold, enabled)
    finally:
        gc.set_threshold(*was)


def test_r01_a_threshold_set_while_the_collector_is_held_stays() -> None:
    was = gc.get_threshold()
    try:
        with held():
            gc.set_threshold(123, 4, 5)
        assert gc.get_threshold() == (123, 4, 5)
    finally:
        gc.set_threshold(*was)


def test_r20_a_look_keeps_no_frame_and_no_local(worker: Worker, clock: Clock) -> None:
    import weakref

    class Canary:
        pass

    begun = threading.Event()
    let_go = threading.Event()
    seen: list[weakref.ref[Canary]] = []

    def view() -> None:
        canary = Canary()
        seen.append(weakref.ref(canary))
        transaction = Transaction("web", "x", 0)
        attribution.begin(transaction)
        begun.set()
        let_go.wait()
        attribution.end(transaction)

    thread = threading.Thread(target=view)
    thread.start()
    begun.wait()
    look = Look(clock)
    clock.now = MS
    look.look()
    let_go.set()
    thread.join()
    assert seen[0]() is None
