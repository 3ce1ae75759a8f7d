"""What suspended transactions await, and who held their loop: real loops, looked at from another thread."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any

import pytest

from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.keys import key_of
from apm_agent.profiling.waiting import Waiting
from apm_agent.tracing.tracer import Tracer

anyio = pytest.importorskip("anyio")

Turned = Callable[..., tuple[Tracer, list[Any]]]
MS = 1_000_000


class Looker:
    """A profiler that looks every few milliseconds from a thread of its own, and books waits alone."""

    def __init__(self, interval: float = 0.005) -> None:
        self.waiting = Waiting()
        self.interval = interval
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def start(self, transaction: Transaction) -> None:
        attribution.begin(transaction)

    def stop(self, transaction: Transaction) -> None:
        attribution.end(transaction)
        self.waiting.stop(transaction)

    def run(self) -> None:
        last = time.monotonic_ns()
        while not self.ended.wait(self.interval):
            frames = sys._current_frames()
            stacks = {ident: key_of(frames[ident]) for ident in attribution.idents() if ident in frames}
            self.waiting.take(stacks)
            del frames
            now = time.monotonic_ns()
            self.waiting.book(now, now - last, int(self.interval * 1e9))
            last = now


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    if request.param == "asyncio":
        return asyncio.run
    uvloop = pytest.importorskip("uvloop")
    return uvloop.run  # type: ignore[no-any-return]


@pytest.fixture
def looker() -> Iterator[Looker]:
    looker = Looker()
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)  # as the sampler has it while it awaits a look
    looker.thread.start()
    yield looker
    looker.ended.set()
    looker.thread.join()
    sys.setswitchinterval(before)


def functions(transaction: Transaction) -> Counter[str]:
    """Nanoseconds waited below each function."""
    found: Counter[str] = Counter()
    for wait in transaction.waits:
        for name in {code.co_name for code in wait.stack[::2]}:
            found[name] += wait.weight_ns
    return found


def waited(transaction: Transaction) -> int:
    return sum(wait.weight_ns for wait in transaction.waits)


def check_whole(transaction: Transaction, least: float = 0.8) -> None:
    """Nearly all of its time, and never more, was booked."""
    assert least * transaction.duration_ns < waited(transaction)
    assert waited(transaction) <= transaction.duration_ns + 20 * MS


async def fetch(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def slower(seconds: float) -> None:
    await asyncio.sleep(seconds)


def test_a_wait_is_the_chain_of_what_is_awaited(
    looker: Looker, traced: Turned, run: Callable[[Any], Any]
) -> None:
    tracer, finished = traced(looker)

    async def view() -> None:
        await fetch(0.3)

    async def request() -> None:
        transaction = tracer.begin("web", "x")
        await view()
        tracer.end(transaction)

    run(request())
    [transaction] = finished
    check_whole(transaction)
    names = [code.co_name for code in transaction.waits[0].stack[::2]]
    assert names[:4] == ["sleep", "fetch", "view", "request"]
    assert len(transaction.waits) == 1


async def _gather() -> None:
    await asyncio.gather(slower(0.3), fetch(0.05))


async def _task() -> None:
    await asyncio.create_task(slower(0.3))


async def _wait() -> None:
    await asyncio.wait([asyncio.create_task(slower(0.3)), asyncio.create_task(fetch(0.05))])


async def _shield() -> None:
    await asyncio.shield(slower(0.3))


async def _wait_for() -> None:
    await asyncio.wait_for(slower(0.3), 5)


async def _nested() -> None:
    await asyncio.gather(_gather())


async def _task_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(slower(0.3))
        group.create_task(fetch(0.05))


async def _anyio_group() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(slower, 0.3)
        group.start_soon(fetch, 0.05)


async def _cancel_scope() -> None:
    with anyio.move_on_after(5):
        await slower(0.3)


async def _stream() -> None:
    """As a middleware awaits the answer of what it wraps."""
    send, receive = anyio.create_memory_object_stream[int](1)

    async def work() -> None:
        await slower(0.3)
        await send.send(1)

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        await receive.receive()
    send.close()
    receive.close()


async def _generator() -> None:
    async def numbers() -> Any:
        await slower(0.3)
        yield 1

    async for _ in numbers():
        pass


@pytest.mark.parametrize(
    "spread",
    [_gather, _task, _wait, _shield, _wait_for, _nested, _anyio_group, _cancel_scope, _stream, _generator]
    + ([_task_group] if sys.version_info >= (3, 11) else []),
)
def test_tasks_spawned_under_a_transaction_are_its_own(
    looker: Looker, traced: Turned, run: Callable[[Any], Any], spread: Callable[[], Any]
) -> None:
    tracer, finished = traced(looker)

    async def request() -> None:
        transaction = tracer.begin("web", "x")
        await spread()
        tracer.end(transaction)

    run(request())
    [transaction] = finished
    check_whole(transaction)
    found = functions(transaction)
    assert found["slower"] > 0.8 * waited(transaction), found
    assert found["request"] == waited(transaction)


def test_a_task_that_outlives_its_transaction_does_not_extend_it(looker: Looker, traced: Turned) -> None:
    tracer, finished = traced(looker)

    async def request() -> Any:
        transaction = tracer.begin("web", "x")
        left = asyncio.create_task(slower(0.5))
        await fetch(0.1)
        tracer.end(transaction)
        return left

    async def main() -> None:
        await (await asyncio.create_task(request()))

    asyncio.run(main())
    [transaction] = finished
    check_whole(transaction, 0.6)
    assert functions(transaction)["fetch"] == waited(transaction)


def test_of_many_each_gets_its_share(looker: Looker, traced: Turned) -> None:
    tracer, finished = traced(looker)

    async def request() -> None:
        transaction = tracer.begin("web", "x")
        await fetch(2.0)
        tracer.end(transaction)

    async def main() -> None:
        await asyncio.gather(*(asyncio.create_task(request()) for _ in range(400)))

    asyncio.run(main())
    assert len(finished) == 400
    assert all(each.waits or each.lost_samples for each in finished)
    booked = sum(waited(each) for each in finished)
    whole = sum(each.duration_ns for each in finished)
    assert 0.6 * whole < booked <= 1.01 * whole


def hold(seconds: float) -> None:
    time.sleep(seconds)


def busy(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(50))


@pytest.mark.parametrize("way", [hold, busy])
def test_who_waits_for_the_loop_is_charged_with_the_line_that_holds_it(
    looker: Looker, traced: Turned, run: Callable[[Any], Any], way: Callable[[float], None]
) -> None:
    """50 at once, one of which holds the loop for 200 ms: at least 95 % of what they wait is told, and of whom."""
    tracer, finished = traced(looker)
    truth: list[float] = []
    held: list[float] = []

    async def victim(number: int) -> None:
        transaction = tracer.begin("web", "victim")
        for _ in range(12):
            due = time.monotonic() + 0.02 + number / 1000
            await asyncio.sleep(0.02 + number / 1000)
            if held and due < held[1]:
                truth.append(held[1] - max(held[0], due))
        tracer.end(transaction)

    async def culprit() -> None:
        transaction = tracer.begin("web", "culprit")
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        way(0.2)
        held.extend((begun, time.monotonic()))
        tracer.end(transaction)

    async def main() -> None:
        await asyncio.gather(
            *(asyncio.create_task(victim(n)) for n in range(50)), asyncio.create_task(culprit())
        )

    run(main())
    whole = sum(truth)
    right = wrong = 0
    for transaction in finished:
        for row in transaction.blocked or ():
            if row.culprit.name == "culprit" and any(c is way.__code__ for c in row.stack[::2]):
                right += row.ns
            else:
                wrong += row.ns
    culprits = [each for each in finished if each.name == "culprit"]
    assert 0.95 * whole < right / 1e9 < 1.1 * whole, (right / 1e9, wrong / 1e9, whole)
    assert len(culprits[0].blocking.victims) >= 45
    rows = [row for transaction in finished for row in transaction.blocked or ()]
    assert culprits[0].blocking.waited_ns == sum(
        row.ns for row in rows if row.culprit is culprits[0].blocking
    )


def test_what_came_in_meanwhile_is_only_perhaps_blocked(
    looker: Looker, traced: Turned, run: Callable[[Any], Any]
) -> None:
    """What a socket brings while the loop is held cannot be seen before it is free: it is told apart."""
    tracer, finished = traced(looker)
    here, there = socket.socketpair()

    async def victim() -> None:
        transaction = tracer.begin("web", "victim")
        reader, writer = await asyncio.open_connection(sock=here)
        await reader.read(1)
        tracer.end(transaction)
        writer.close()

    async def idler() -> None:
        transaction = tracer.begin("web", "idler")
        await fetch(0.6)
        tracer.end(transaction)

    async def culprit() -> None:
        transaction = tracer.begin("web", "culprit")
        await asyncio.sleep(0.1)
        there.send(b"x")
        hold(0.2)
        tracer.end(transaction)

    async def main() -> None:
        await asyncio.gather(*(asyncio.create_task(each()) for each in (victim, idler, culprit)))

    run(main())
    there.close()
    blocked = {t.name: t.blocked or [] for t in finished}
    assert sum(row.ns for row in blocked["victim"]) == 0
    assert 150 * MS < sum(row.maybe_ns for row in blocked["victim"]) < 250 * MS
    assert blocked["idler"] == []


def test_a_finished_worker_thread_makes_its_task_ready(
    looker: Looker, traced: Turned, run: Callable[[Any], Any]
) -> None:
    tracer, finished = traced(looker)

    async def victim() -> None:
        transaction = tracer.begin("web", "victim")
        await asyncio.to_thread(hold, 0.15)
        tracer.end(transaction)

    async def culprit() -> None:
        transaction = tracer.begin("web", "culprit")
        await asyncio.sleep(0.1)
        hold(0.3)
        tracer.end(transaction)

    async def main() -> None:
        await asyncio.gather(asyncio.create_task(victim()), asyncio.create_task(culprit()))

    run(main())
    [transaction] = [t for t in finished if t.name == "victim"]
    assert 200 * MS < sum(row.ns for row in transaction.blocked or ()) < 300 * MS


def test_a_callback_that_is_nobodys_is_named_by_its_line(looker: Looker, traced: Turned) -> None:
    tracer, finished = traced(looker)

    async def victim() -> None:
        transaction = tracer.begin("web", "victim")
        asyncio.get_running_loop().call_later(0.05, hold, 0.2, context=Context())
        await fetch(0.1)
        tracer.end(transaction)

    asyncio.run(victim())
    [transaction] = finished
    rows = transaction.blocked or []
    assert sum(row.ns for row in rows) > 100 * MS
    assert all(row.culprit.name is None and row.stack[0] is hold.__code__ for row in rows)


def test_tasks_that_only_take_turns_hold_nobody_long(looker: Looker, traced: Turned) -> None:
    tracer, finished = traced(looker)

    async def request() -> None:
        transaction = tracer.begin("web", "x")
        for _ in range(40):
            busy(0.001)
            await asyncio.sleep(0)
        tracer.end(transaction)

    async def main() -> None:
        await asyncio.gather(*(asyncio.create_task(request()) for _ in range(4)))

    asyncio.run(main())
    for transaction in finished:
        assert sum(row.ns for row in transaction.blocked or ()) <= transaction.duration_ns


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import gevent, sys
from gevent.monkey import get_original
from apm_agent.profiling import attribution
from apm_agent.profiling.keys import key_of
from apm_agent.profiling.waiting import Waiting
from apm_agent.tracing.tracer import Tracer
import time

waiting, ended, finished = Waiting(), [], []

class Looker:
    def start(self, transaction):
        attribution.begin(transaction)
    def stop(self, transaction):
        attribution.end(transaction)
        waiting.stop(transaction)

def run():
    last = time.monotonic_ns()
    while not ended:
        get_original("time", "sleep")(0.005)
        frames = sys._current_frames()
        stacks = {i: key_of(frames[i]) for i in attribution.idents() if i in frames}
        waiting.take(stacks)
        now = time.monotonic_ns()
        waiting.book(now, now - last, 5_000_000)
        last = now

get_original("_thread", "start_new_thread")(run, ())
tracer = Tracer(finished.append, (Looker(),))

def upstream():
    gevent.sleep(0.3)

def compute():
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        sum(range(50))

def request(name, function):
    transaction = tracer.begin("web", name)
    function()
    tracer.end(transaction)

gevent.joinall([gevent.spawn(request, "waits", upstream) for _ in range(10)])
gevent.joinall([gevent.spawn(request, "works", compute)])
ended.append(1)
for each in finished:
    own = sum(w.weight_ns for w in each.waits if any(c.co_name == "upstream" for c in w.stack[::2]))
    print(each.name, own / each.duration_ns, sum(w.weight_ns for w in each.waits) / each.duration_ns)
"""


def test_a_greenlet_that_waits_shows_where() -> None:
    pytest.importorskip("gevent")
    done = subprocess.run([sys.executable, "-c", GREENLETS], capture_output=True, text=True, check=True)
    assert not done.stderr
    rows = [(name, float(own), float(all_)) for name, own, all_ in map(str.split, done.stdout.splitlines())]
    assert len(rows) == 11
    for name, own, everything in rows:
        if name == "waits":
            assert 0.7 < own == everything <= 1.1
        else:
            assert everything < 0.1


def test_behind_middleware_the_view_shows(looker: Looker, traced: Turned) -> None:
    """A middleware of Starlette awaits a stream that a task of its own fills: that one tells what is waited for."""
    pytest.importorskip("starlette")
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    tracer, finished = traced(looker)

    class Passing(BaseHTTPMiddleware):
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            return await call_next(request)

    async def view(request: Any) -> PlainTextResponse:
        await slower(0.3)
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/", view)], middleware=[Middleware(Passing), Middleware(Passing)])
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(5)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        pass

    async def request() -> None:
        transaction = tracer.begin("web", "x")
        await app(scope, receive, send)
        tracer.end(transaction)

    asyncio.run(request())
    [transaction] = finished
    found = functions(transaction)
    assert found["view"] == found["slower"] > 0.8 * waited(transaction)
