"""What is told of requests in flight: of threads, tasks and greenlets, bounded, and counted while somebody asks."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import greenlet
import pytest

from apm_agent.model import live as shape
from apm_agent.model.live import RUNNING, WAITING, Told
from apm_agent.model.origin import Origin
from apm_agent.profiling.live import Live, Whose
from apm_agent.profiling.sampler import Sampler
from apm_agent.tracing.tracer import Tracer, close_span, open_span
from computing import in_python
from hand import Hand
from telling import SECOND, Turned, flight_in, line_of, stuck_at, tell, told

Made = Callable[[float, float], Sampler]


def _sleeps(tracer: Tracer, ready: threading.Event, done: threading.Event) -> None:
    transaction = tracer.begin("web", "(unnamed)")
    transaction.method, transaction.path = "GET", "/orders/7"
    ready.set()
    done.wait()  # stuck
    tracer.end(transaction)


def _computes(tracer: Tracer, ready: threading.Event, done: threading.Event) -> None:
    transaction = tracer.begin("background", "nightly")
    transaction.rename("nightly", 4)
    ready.set()
    while not done.is_set():
        sum(range(1000))
    tracer.end(transaction)


def test_a_thread_that_waits(store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer) -> None:
    def look() -> Told:
        return tell(telling, hand, store)

    (flight,) = flight_in(lambda *events: _sleeps(at_work, *events), look).flights
    assert (flight.name, flight.method, flight.path) == ("", "GET", "/orders/7")
    assert (flight.state, flight.places[0].thread) == (WAITING, "worker-7")
    assert stuck_at(flight, "_sleeps") == line_of(_sleeps, "# stuck")


def test_a_thread_that_computes(store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer) -> None:
    def look() -> Told:
        telling.look(True)
        until = time.thread_time() + 0.05
        while time.thread_time() < until:  # both threads get their share of the processor meanwhile
            pass
        hand.move(SECOND // 10)
        telling.look(True)
        found = told(store)
        assert found is not None
        return found

    (flight,) = flight_in(lambda *events: _computes(at_work, *events), look).flights
    assert (flight.kind, flight.name, flight.state) == ("background", "nightly", RUNNING)


def test_r32_an_open_query_is_told_without_its_literals(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    transaction = at_work.begin("web", "GET /")
    outer = open_span("code", "loading")
    span = open_span("db", "")
    assert span is not None
    assert outer is not None
    span.statement = "SELECT * FROM customer WHERE mail = 'ada@example.com'"
    hand.move(3)
    found = tell(telling, hand, store)
    close_span(span)
    close_span(outer)
    at_work.end(transaction)
    (flight,) = found.flights
    assert flight.span is not None
    assert (flight.state, flight.span.kind, flight.span.name) == ("db", "db", "SELECT customer")
    file = shape.file_of(shape.folder_of(str(store)), "here", os.getpid())
    assert b"ada" not in Path(file).read_bytes()


async def test_a_task_that_awaits(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    done = asyncio.Event()

    async def inner() -> None:
        await done.wait()  # awaits

    async def child() -> None:
        await done.wait()

    async def request(name: str) -> None:
        transaction = at_work.begin("web", name)
        transaction.rename(name, 4)
        others = asyncio.create_task(child(), name="child")
        await inner()
        await others
        at_work.end(transaction)

    tasks = [asyncio.create_task(request(f"GET /{number}"), name=f"request-{number}") for number in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    found = await asyncio.to_thread(tell, telling, hand, store)
    done.set()
    await asyncio.gather(*tasks)
    assert {flight.name for flight in found.flights} == {"GET /0", "GET /1", "GET /2"}
    flight = next(flight for flight in found.flights if flight.name == "GET /1")
    assert flight.state == WAITING
    assert [(place.task, place.state) for place in flight.places] == [
        ("request-1", WAITING),
        ("child", WAITING),
    ]
    assert [f.function.rpartition(".")[2] for f in flight.places[0].stack] == ["request", "inner", "wait"]
    assert flight.places[0].stack[1].line == line_of(test_a_task_that_awaits, "# awaits")


async def test_the_task_that_runs_comes_first(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    async def request() -> Told:
        transaction = at_work.begin("web", "GET /")
        asyncio.create_task(asyncio.sleep(60), name="child")  # noqa: RUF006
        await asyncio.sleep(0)
        found = tell(telling, hand, store)
        at_work.end(transaction)
        return found

    (flight,) = (await asyncio.create_task(request(), name="request")).flights
    assert [place.task for place in flight.places] == ["request", "child"]
    for task in asyncio.all_tasks():
        if task.get_name() == "child":
            task.cancel()


def test_a_greenlet_that_waits(store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer) -> None:
    def request() -> None:
        transaction = at_work.begin("web", "GET /")
        greenlet.getcurrent().parent.switch()  # switched away
        at_work.end(transaction)

    waiting = greenlet.greenlet(request)
    waiting.switch()
    (flight,) = tell(telling, hand, store).flights
    waiting.switch()
    assert flight.state == WAITING
    assert flight.places[0].stack[-1].line == line_of(test_a_greenlet_that_waits, "# switched away")


def test_only_the_innermost_frames_are_told(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    def deep(levels: int) -> Told:
        return deep(levels - 1) if levels else tell(telling, hand, store)

    transaction = at_work.begin("web", "GET /")
    (flight,) = deep(150).flights
    at_work.end(transaction)
    assert len(flight.places[0].stack) == shape.MOST_FRAMES
    assert flight.places[0].cut > 50
    assert flight.places[0].stack[-1].function == "tell"


def test_many_are_told_the_oldest_first(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    async def request(number: int, done: asyncio.Event) -> None:
        transaction = at_work.begin("web", f"{number}")
        transaction.rename(f"{number}", 4)
        transaction.start_ns += number
        await done.wait()
        at_work.end(transaction)

    async def all_of_them() -> Told:
        done = asyncio.Event()
        tasks = [asyncio.create_task(request(number, done)) for number in range(250)]
        await asyncio.sleep(0)
        found = tell(telling, hand, store)
        done.set()
        await asyncio.gather(*tasks)
        return found

    found = asyncio.run(all_of_them())
    assert [flight.name for flight in found.flights] == [f"{number}" for number in range(shape.MOST_FLIGHTS)]
    assert found.more == 50


class _Canary:
    pass


def test_r20_nothing_of_a_request_is_held_on_to(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    seen: list[weakref.ref[_Canary]] = []

    def request(ready: threading.Event, done: threading.Event) -> None:
        canary = _Canary()
        seen.append(weakref.ref(canary))
        _sleeps(at_work, ready, done)

    flight_in(request, lambda: tell(telling, hand, store))
    gc.collect()
    assert seen[0]() is None


def test_hostile_names_are_told_bounded(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    transaction = at_work.begin("web", "x")
    transaction.rename("\ud800\x00<script>" + "x" * 10_000, 4)
    transaction.path = "/\udfff" + "y" * 10_000
    (flight,) = tell(telling, hand, store).flights
    at_work.end(transaction)
    assert flight.name.startswith("?<script>x")
    assert len(flight.name) <= 200
    assert len(flight.path) <= 200


@pytest.mark.skipif(sys.platform == "win32", reason="the sampler's precision differs there")
def test_functions_are_counted_while_somebody_asks(
    store: Path, asked: Path, make_sampler: Made, traced: Turned
) -> None:
    sampler = make_sampler(0.002, 0.9)

    def hear(samples: list[Any] | None) -> None:
        sampler.looks.heard = samples

    telling = Live(Whose(str(store), "shop", "here"), Origin(), hear)
    sampler.beside = telling.look
    tracer, finished = traced(sampler)
    transaction = tracer.begin("web", "GET /")
    found = None
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        os.utime(asked)
        in_python(0.2)
        found = told(store)
        if found is not None and found.sampled_ns > 3 * SECOND // 10:
            break
    tracer.end(transaction)
    assert found is not None
    by_name = {each.function: each for each in found.functions}
    assert by_name["in_python"].own_ns > 0.5 * found.sampled_ns
    assert by_name["in_python"].total_ns <= found.sampled_ns
    assert sum(each.own_ns for each in found.functions) == found.sampled_ns
    kept = finished[0]
    assert found.sampled_ns <= sum(sample.weight_ns for sample in kept.samples) + sum(
        (kept.weights or {}).values()
    )
    telling.close()
    assert sampler.looks.heard is None
    assert told(store) is None
