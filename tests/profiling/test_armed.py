"""What is armed is measured exactly so often, by whatever process, and nothing else is touched."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apm_agent.clock import Clock
from apm_agent.model import arm as arms
from apm_agent.model.arm import CPROFILE, Arm
from apm_agent.model.transaction import CAPTURED, ROUTE, Transaction
from apm_agent.profiling.armed import Armed
from apm_agent.profiling.cprofile import Deterministic, OnDemand
from apm_agent.profiling.seen import Seen, shape
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.tracer import Tracer
from hand import Hand

Traced = Callable[..., tuple[Tracer, list[Any]]]
SECOND = 10**9
ORDERS = "GET /orders"


class Process:
    """A process that can be armed: its tracer, what it handed on, and a clock in the hand."""

    def __init__(self, folder: Path, traced: Traced, service: str = "shop") -> None:
        self.tracer, self.finished = traced()
        self.hand = Hand()
        self.armed = Armed(
            str(folder),
            lambda: service,
            {CPROFILE: lambda: OnDemand(Deterministic())},
            self.switch,
            Clock(monotonic=self.hand),
        )
        self.tracer.monotonic = self.hand
        self.on: list[bool] = []

    def switch(self, on: bool) -> None:
        self.on.append(on)
        self.tracer.use((self.armed,) if on else ())

    def look(self) -> None:
        self.hand.move(SECOND)
        self.armed.look()

    def request(
        self, path: str, name: str, work: Callable[[], object] = lambda: sum(range(10))
    ) -> Transaction:
        transaction = self.tracer.begin("web", "(unnamed)", None, "GET", path)
        work()
        transaction.rename(name, ROUTE)
        self.tracer.end(transaction)
        return transaction

    def orders(self) -> Transaction:
        return self.request("/orders", ORDERS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "arms"


@pytest.fixture
def process(folder: Path, traced: Traced) -> Process:
    return Process(folder, traced)


def put(folder: Path, wanted: int = 1, endpoint: str = ORDERS, **fields: Any) -> Arm:
    folder.mkdir(exist_ok=True)
    now = time.time()
    made = {"created": now, "until": now + 600, **fields}
    arm = Arm(os.urandom(8).hex(), endpoint, CPROFILE, wanted, **made)
    Path(arms.file_of(str(folder), arm.id)).write_text(arms.to_text(arm))
    return arm


def captured(transactions: list[Transaction]) -> list[Transaction]:
    return [each for each in transactions if (each.notes or {}).get(CAPTURED)]


def test_nothing_armed_nobody_is_told(process: Process) -> None:
    for _ in range(3):
        process.look()
        process.orders()
    assert process.on == []
    assert process.tracer.profilers == process.tracer.stoppers == ()


def test_the_next_n_are_measured_and_then_no_more(process: Process, folder: Path) -> None:
    arm = put(folder, 3)
    process.look()
    assert process.on == [True]
    ended = [process.orders() for _ in range(5)]
    assert [each.callgraph is not None for each in ended] == [True, True, True, False, False]
    assert [each.notes[CAPTURED] for each in captured(ended)] == [(CPROFILE, arm.id)] * 3
    assert any(node.function == "<lambda>" for node in ended[0].callgraph().functions)
    assert len(list(folder.glob(f"{arm.id}.[0-9]"))) == 3
    process.look()
    assert process.on == [True, False]
    assert process.tracer.profilers == ()
    assert sys.getprofile() is None


def test_several_processes_share_the_n(folder: Path, traced: Traced) -> None:
    put(folder, 5)
    processes = [Process(folder, traced) for _ in range(4)]
    for process in processes:
        process.look()
    ended = []
    for _ in range(4):
        for process in processes:
            tracing.tracer = process.tracer
            ended.append(process.orders())
    assert len(captured(ended)) == 5


def test_slots_are_taken_by_one_each(folder: Path, traced: Traced) -> None:
    arm = put(folder, 20)
    slots = [Process(folder, traced).armed._slots for _ in range(8)]
    taken: list[str] = []
    start = threading.Barrier(len(slots))

    def take(each: Any) -> None:
        start.wait()
        while slot := each.take(arm):
            taken.append(slot)

    threads = [threading.Thread(target=take, args=(each,)) for each in slots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 20


def test_another_endpoint_is_given_back_and_then_known(process: Process, folder: Path) -> None:
    put(folder)
    process.look()
    first, again = process.request("/other", "GET /other"), process.request("/other", "GET /other")
    assert first.callgraph is None
    assert again.callgraph is None
    assert process.armed.counts == {}
    assert process.armed._seen.may_be(put(folder), first) is False
    assert process.orders().callgraph is not None


def test_what_is_ignored_takes_no_slot(process: Process, folder: Path) -> None:
    put(folder)
    process.look()
    transaction = process.tracer.begin("web", "(unnamed)", None, "GET", "/orders")
    transaction.rename(ORDERS, ROUTE)
    transaction.ignored = True
    process.tracer.end(transaction)
    assert process.orders().callgraph is not None


def test_a_job_is_measured_by_its_name(process: Process, folder: Path) -> None:
    put(folder, endpoint="nightly")
    process.look()
    for name in ("hourly", "nightly"):
        transaction = process.tracer.begin("background", name)
        process.tracer.end(transaction)
        assert (transaction.callgraph is not None) == (name == "nightly")


def test_another_service_is_left_alone(process: Process, folder: Path) -> None:
    put(folder, service="feed")
    process.look()
    assert process.on == []


def test_it_ends_by_itself_when_it_expires(process: Process, folder: Path) -> None:
    put(folder, until=time.time() + 5)
    os.utime(folder, (time.time() - 60,) * 2)  # else it is read again for a while, in case it changes
    process.look()
    process.hand.move(6 * SECOND)
    assert process.orders().callgraph is None
    process.look()
    assert process.on == [True, False]


def test_what_is_long_over_is_taken_away(process: Process, folder: Path) -> None:
    arm = put(folder, created=time.time() - 700, until=time.time() - 100)
    Path(arms.slot_of(str(folder), arm.id, 0)).touch()
    process.look()
    assert list(folder.iterdir()) == []
    assert process.on == []


def test_cancelled_while_it_is_measured_nothing_is_kept(process: Process, folder: Path) -> None:
    arm = put(folder)
    process.look()
    cancel = Path(arms.file_of(str(folder), arm.id)).unlink
    assert process.request("/orders", ORDERS, cancel).callgraph is None
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '{"v": 1}', '{"v": 2, "endpoint": "GET /orders"}', "\xff" * 10,
        json.dumps({"v": 1, "endpoint": ORDERS, "capture": "rm -rf", "wanted": 1, "created": 0, "until": 1,
                    "service": "", "functions": []}),
        json.dumps({"v": 1, "endpoint": ORDERS, "capture": CPROFILE, "wanted": 10**9, "created": 0, "until": 1,
                    "service": "", "functions": []}),
    ],
)  # fmt: skip
def test_a_file_that_is_no_arm_is_passed_over(text: str, process: Process, folder: Path) -> None:
    folder.mkdir()
    Path(arms.file_of(str(folder), "0" * 16)).write_text(text, encoding="latin-1")
    (folder / "notes.txt").write_text("mine")
    (folder / "0000.7").touch()
    process.look()
    assert process.on == []
    assert (folder / "notes.txt").exists()


def test_one_is_measured_at_a_time_and_the_others_are_told_so(process: Process, folder: Path) -> None:
    arm = put(folder, 5)
    process.look()
    inner: list[Transaction] = []
    outer = process.request("/orders", ORDERS, lambda: inner.append(process.orders()))
    assert outer.callgraph is not None
    assert inner[0].callgraph is None
    assert process.armed.counts[arm.id] == {"another transaction is being measured": 1, "kept": 1}


def test_a_debuggers_profiler_stays_where_it_is(process: Process, folder: Path) -> None:
    arm = put(folder)
    process.look()

    def theirs(frame: Any, event: str, argument: Any) -> None:
        return None

    sys.setprofile(theirs)
    try:
        assert process.orders().callgraph is None
        assert sys.getprofile() is theirs
    finally:
        sys.setprofile(None)
    assert process.armed.counts[arm.id] == {"another profiler is active": 1}
    assert process.orders().callgraph is not None


async def test_on_an_event_loop_it_is_measured_when_it_has_it_to_itself(
    process: Process, folder: Path
) -> None:
    arm = put(folder)
    process.look()
    turn = asyncio.Event()

    async def request(wait: bool) -> Transaction:
        transaction = process.tracer.begin("web", "(unnamed)", None, "GET", "/orders")
        if wait:
            await turn.wait()
        transaction.rename(ORDERS, ROUTE)
        process.tracer.end(transaction)
        return transaction

    waiting = asyncio.create_task(request(True))
    await asyncio.sleep(0)
    beside = await asyncio.create_task(request(False))
    turn.set()
    assert (await waiting).callgraph is None, "another one ran meanwhile"
    assert beside.callgraph is None
    counts = process.armed.counts[arm.id]
    assert counts == {"another transaction was open on its event loop": 2}
    assert (await asyncio.create_task(request(False))).callgraph is not None


def test_one_that_ends_on_another_thread_gives_its_slot_back(process: Process, folder: Path) -> None:
    arm = put(folder)
    process.look()
    transaction = process.tracer.begin("web", "(unnamed)", None, "GET", "/orders")
    transaction.rename(ORDERS, ROUTE)
    other = threading.Thread(target=process.tracer.end, args=(transaction,))
    other.start()
    other.join()
    assert transaction.callgraph is None
    assert process.armed.counts[arm.id] == {"it ended on another thread": 1}
    assert process.orders().callgraph is not None
    process.look()
    assert process.on == [True, False]
    assert sys.getprofile() is None


def test_a_transaction_from_before_is_left_alone(process: Process, folder: Path) -> None:
    early = process.tracer.begin("web", "(unnamed)", None, "GET", "/orders")
    put(folder)
    process.look()
    early.rename(ORDERS, ROUTE)
    process.tracer.end(early)
    assert early.callgraph is None
    assert process.orders().callgraph is not None


def test_a_forked_child_begins_anew(process: Process, folder: Path) -> None:
    put(folder, 2)
    process.look()
    process.armed.after_fork()
    assert process.tracer.profilers == ()
    process.look()
    assert process.orders().callgraph is not None


def test_shapes_tell_of_paths_never_seen(process: Process) -> None:
    assert shape("/users/7/orders/0af3b2c1") == "/users/*/orders/*"
    seen = Seen()
    for path, name in (("/users/7", "GET /users/<id>"), ("/posts/8", "GET /posts/<id>")):
        seen.learn(process.request(path, name))
    asked = Arm("0" * 16, "GET /users/<id>", CPROFILE, 1, 0, 1)

    def may_be(method: str, path: str) -> bool:
        transaction = Transaction("web", "(unnamed)", 0)
        transaction.method, transaction.path = method, path
        return seen.may_be(asked, transaction)

    assert may_be("GET", "/users/9")
    assert not may_be("GET", "/posts/9")
    assert not may_be("POST", "/users/9")
    assert may_be("GET", "/never/seen")


def test_it_says_which_arms_it_has_taken_up(process: Process, folder: Path) -> None:
    arm, other = put(folder, 1), put(folder, 1, "GET /other")
    process.look()
    assert process.armed.stats() == [
        {"id": each.id, "live": True, "counts": {}} for each in sorted((arm, other), key=lambda each: each.id)
    ]
    process.orders()  # the path is not known yet, so this one may be measured for the other arm
    process.orders()
    process.look()
    told = {each["id"]: (each["live"], each["counts"]) for each in process.armed.stats()}
    assert told == {arm.id: (False, {"kept": 1}), other.id: (True, {})}
