"""What suspended transactions await: the chain of it, in tasks they spawned, in greenlets, behind middleware."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from looking import Looker, Turned, check_whole, fetch, functions, slower, waited
from noise import at_best, best_of_three

anyio = pytest.importorskip("anyio")


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
@best_of_three
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
        await fetch(4.0)  # what came after the last visit is not known: up to a second on a busy machine
        tracer.end(transaction)

    async def main() -> None:
        await asyncio.gather(*(asyncio.create_task(request()) for _ in range(400)))

    def measure() -> None:
        finished.clear()
        asyncio.run(main())
        assert len(finished) == 400
        assert all(each.waits for each in finished)
        booked = sum(waited(each) for each in finished)
        whole = sum(each.duration_ns for each in finished)
        assert 0.6 * whole < booked <= 1.01 * whole

    at_best(measure)


def test_who_ends_before_its_turn_has_waited_all_the_same(looker: Looker, traced: Turned) -> None:
    """A hundred requests that await something new at each look: too many to walk, none is forgotten."""
    tracer, finished = traced(looker)

    async def request() -> None:
        for _ in range(5):
            transaction = tracer.begin("web", "x")
            for _ in range(10):
                await fetch(0.02)
            tracer.end(transaction)

    async def main() -> None:
        await asyncio.gather(*(asyncio.create_task(request()) for _ in range(100)))

    def measure() -> None:
        finished.clear()
        asyncio.run(main())
        assert len(finished) == 500
        assert not any(each.lost_samples for each in finished)
        booked = sum(waited(each) for each in finished)
        whole = sum(each.duration_ns for each in finished)
        assert 0.9 * whole < booked <= 1.1 * whole, booked / whole
        # Of what was not walked the task's own coroutine is known.
        assert {wait.stack[-2].co_name for each in finished for wait in each.waits} == {"request"}
        assert any(len(wait.stack) == 2 for each in finished for wait in each.waits)

    at_best(measure)


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
