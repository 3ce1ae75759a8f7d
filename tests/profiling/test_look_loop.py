"""Looks with a held clock at a real event loop: what its tasks computed before a look that came late."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from apm_agent.model.current import current
from apm_agent.model.profile import RUNNING, UNCERTAIN, StackKey
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.doubt import cpu_of, is_ready
from apm_agent.profiling.look import Look

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="asks the kernel for another thread's time"
)
MS = 1_000_000
#: More than reading clocks, waking a loop and scheduling on it can take.
ABOUT = 8 * MS


def compute(milliseconds: int) -> None:
    until = time.thread_time_ns() + milliseconds * MS
    while time.thread_time_ns() < until:
        pass


class Served:
    """An event loop in a thread with a task a transaction, which computes when told to and awaits in between."""

    def __init__(self, count: int) -> None:
        self.now = 0
        self.transactions = [Transaction("web", f"GET /{number}", 0) for number in range(count)]
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.main()))
        self.thread.start()
        self.ready.wait()
        self.look = Look(lambda: self.now)
        for _ in range(5):  # the GIL was free: `select` is known to give it up, and to wait
            self.sees(waited=False)
        self.forget()

    async def main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.told: list[asyncio.Queue[int | None]] = [
            asyncio.Queue() for _ in range(len(self.transactions) + 1)
        ]
        served = [asyncio.create_task(self.serve(number)) for number in range(len(self.told))]
        for _ in range(100):  # a call that comes often is made faster, and then stands at another instruction
            await asyncio.sleep(0.0001)
        self.loop.call_soon(self.ready.set)
        await asyncio.gather(*served)

    async def serve(self, number: int) -> None:
        if number < len(self.transactions):
            current.set(self.transactions[number])
            attribution.begin(self.transactions[number])
        while (wanted := await self.told[number].get()) is not None:
            compute(wanted)

    def tell(self, number: int, wanted: int | None) -> None:
        self.loop.call_soon_threadsafe(self.told[number].put_nowait, wanted)

    def computes(self, number: int, milliseconds: int) -> int:
        """Tell a task to compute (the last is nobody's), wait until the loop sleeps; what its thread has used."""
        native = self.thread.native_id or 0
        self.sleeps()
        before = cpu_of(native) or 0
        self.tell(number, milliseconds)
        while (cpu_of(native) or 0) < before + milliseconds * MS:
            time.sleep(0.001)
        self.sleeps()
        return (cpu_of(native) or 0) - before

    def sleeps(self) -> None:
        """Wait until the loop is in `select` and asleep there."""
        native, last = self.thread.native_id or 0, -1
        while (spent := cpu_of(native) or 0) != last or is_ready(native) or self.function() != "select":
            last = spent
            time.sleep(0.005)

    def function(self) -> str:
        frame = sys._current_frames().get(self.thread.ident or 0)
        return frame.f_code.co_name if frame is not None else ""

    def sees(self, *, late_ms: int = 0, waited: bool = False) -> None:
        """A look 100 ms after the one before, which finds the loop asleep."""
        self.sleeps()
        self.now += 100 * MS
        self.look.look(waited=waited, late_ns=late_ms * MS, planned_ns=100 * MS)

    def catches(self, number: int, *, late_ms: int = 0) -> None:
        """A look 100 ms after the one before, which finds a task computing."""
        self.sleeps()
        self.tell(number, 200)
        while self.function() != "compute":
            time.sleep(0.001)
        self.now += 100 * MS
        self.look.look(waited=True, late_ns=late_ms * MS, planned_ns=100 * MS)

    def forget(self) -> None:
        """What was booked so far is not asked for."""
        for transaction in self.transactions:
            transaction.samples.clear()
            for wait in transaction.waits:
                wait.weight_ns = 0

    def end(self) -> None:
        for number in range(len(self.told)):
            self.tell(number, None)
        self.thread.join()


@pytest.fixture
def one() -> Iterator[Served]:
    served = Served(1)
    yield served
    served.end()


@pytest.fixture
def three() -> Iterator[Served]:
    served = Served(3)
    yield served
    served.end()


def names(stack: StackKey) -> list[str]:
    return [code.co_name for code in stack[::2]]


def seen(transaction: Transaction) -> int:
    return sum(sample.weight_ns for sample in transaction.samples)


def waited(transaction: Transaction) -> int:
    return sum(wait.weight_ns for wait in transaction.waits)


def test_what_a_task_computed_before_a_late_look_found_it_waiting_is_booked_on_it(one: Served) -> None:
    [transaction] = one.transactions
    used = one.computes(0, 50)
    one.sees(late_ms=1)
    [sample] = transaction.samples
    assert used <= sample.weight_ns < used + ABOUT
    assert sample.weight_ns + waited(transaction) == 100 * MS, "all of its time, and none twice"
    assert sample.state == UNCERTAIN
    assert sample.cpu_ns == sample.weight_ns, "what the clock says, all of it"
    assert names(sample.stack) == ["serve"], "somewhere in the task"
    assert one.look.uncertain_ns == sample.weight_ns

    one.catches(0)
    assert [each.state for each in transaction.samples] == [UNCERTAIN, RUNNING]
    assert names(transaction.samples[0].stack)[:2] == ["compute", "serve"], "the open question is answered"


def test_a_look_in_time_is_believed_until_more_than_its_time_is_owed(one: Served) -> None:
    [transaction] = one.transactions
    one.computes(0, 50)
    one.sees()
    assert transaction.samples == []
    assert waited(transaction) == 100 * MS
    one.computes(0, 90)
    one.computes(0, 20)
    one.sees()
    assert seen(transaction) == 100 * MS


def test_who_awaits_the_same_as_before_has_not_computed(three: Served) -> None:
    first, second, third = three.transactions
    used = three.computes(1, 50)
    three.sees(late_ms=1)
    assert seen(first) == seen(third) == 0
    assert used <= seen(second) < used + ABOUT
    assert [seen(each) + waited(each) for each in three.transactions] == [100 * MS] * 3


def test_of_several_that_ran_each_gets_a_part(three: Served) -> None:
    first, second, third = three.transactions
    used = three.computes(0, 40) + three.computes(2, 30)
    three.sees(late_ms=1)
    three.sees(late_ms=1)  # on a slow machine a look visits one
    assert seen(second) == 0
    assert seen(first) == pytest.approx(seen(third), abs=ABOUT)
    assert used - 2 <= seen(first) + seen(third) < used + ABOUT
    assert {each.state for each in first.samples + third.samples} == {UNCERTAIN}
    assert [seen(each) + waited(each) for each in three.transactions] == [200 * MS] * 3


def test_what_nobodys_task_computed_is_nobodys(one: Served) -> None:
    [transaction] = one.transactions
    one.computes(1, 50)
    one.sees(late_ms=1)
    assert transaction.samples == []
    assert waited(transaction) == 100 * MS


def test_a_late_look_that_finds_a_task_computing_is_marked(one: Served) -> None:
    """Another may have computed at its moment, or the same one elsewhere."""
    [transaction] = one.transactions
    one.catches(0)
    one.catches(0, late_ms=2)
    assert [(each.state, each.weight_ns) for each in transaction.samples if "compute" in names(each.stack)] == [
        (RUNNING, 100 * MS), (UNCERTAIN, 100 * MS),
    ]  # fmt: skip
