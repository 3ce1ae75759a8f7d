"""What is in flight, told to whoever asks: to nobody otherwise, and never a moment too long."""

from __future__ import annotations

import asyncio
import gc
import os
import stat
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import greenlet
import pytest

from apm_agent.clock import Clock
from apm_agent.errors import StoreError
from apm_agent.model import live as shape
from apm_agent.model import seconds
from apm_agent.model.live import RUNNING, WAITING, Flight, Told
from apm_agent.model.origin import Origin
from apm_agent.model.profile import Frame
from apm_agent.profiling import attribution
from apm_agent.profiling.live import Live, Whose
from apm_agent.profiling.sampler import Sampler
from apm_agent.profiling.seconds import Capture
from apm_agent.tracing.tracer import Tracer, close_span, open_span
from hand import Hand

SECOND = 10**9
Made = Callable[[float, float], Sampler]
Turned = Callable[..., tuple[Tracer, list[Any]]]


class Attributed:
    """The one profiler these tests need: who works for what."""

    start = staticmethod(attribution.begin)
    stop = staticmethod(attribution.end)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "apm.db"


@pytest.fixture
def asked(store: Path) -> Path:
    folder = store.parent / "live"
    folder.mkdir(mode=0o700)
    file = folder / "asked"
    file.touch(mode=0o600)
    return file


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def telling(store: Path, hand: Hand) -> Live:
    return make(store, hand)


def make(store: Path, hand: Hand) -> Live:
    return Live(Whose(str(store), "shop", "here"), Origin(), lambda samples: None, Clock(hand))


@pytest.fixture
def at_work(traced: Turned) -> Iterator[Tracer]:
    yield traced(Attributed)[0]
    attribution.forget()


def told(store: Path) -> Told | None:
    return shape.read(shape.file_of(shape.folder_of(str(store)), "here", os.getpid()))


def tell(telling: Live, hand: Hand, store: Path) -> Told:
    """The asking is seen, and answered a moment later."""
    telling.look(True)
    hand.move(SECOND)
    telling.look(True)
    found = told(store)
    assert found is not None
    return found


def flight_in(thread: Callable[[threading.Event, threading.Event], None], look: Callable[[], Told]) -> Told:
    """What is told while `thread` is between its two events."""
    ready, done = threading.Event(), threading.Event()
    worker = threading.Thread(target=thread, args=(ready, done), name="worker-7")
    worker.start()
    try:
        assert ready.wait(10)
        return look()
    finally:
        done.set()
        worker.join()


def stuck_at(flight: Flight, function: str) -> int:
    return next(f.line for f in reversed(flight.places[0].stack) if f.function.endswith(function))


def line_of(function: Any, mark: str) -> int:
    import inspect

    lines, first = inspect.getsourcelines(function)
    return first + next(at for at, line in enumerate(lines) if mark in line)


# ------------------------------------------------------------------------------------------ asking


def test_nobody_asked(store: Path, telling: Live, hand: Hand, at_work: Tracer) -> None:
    transaction = at_work.begin("web", "GET /")
    for _ in range(5):
        telling.look(True)
        hand.move(SECOND)
    at_work.end(transaction)
    assert list(store.parent.iterdir()) == []


def test_an_old_asking_is_none(store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer) -> None:
    then = time.time() - 6
    os.utime(asked, (then, then))
    transaction = at_work.begin("web", "GET /")
    telling.look(True)
    hand.move(SECOND)
    telling.look(True)
    at_work.end(transaction)
    assert told(store) is None


def test_r42_an_asking_from_a_stepped_clock_is_none(
    store: Path, asked: Path, telling: Live, hand: Hand
) -> None:
    then = time.time() + 3600
    os.utime(asked, (then, then))
    telling.look(True)
    hand.move(SECOND)
    telling.look(True)
    assert told(store) is None


def test_it_is_told_once_a_second_and_no_more_when_nobody_asks(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    transaction = at_work.begin("web", "GET /")
    first = tell(telling, hand, store)
    hand.move(SECOND // 2)
    assert telling.look(True) == 0
    hand.move(SECOND // 2)
    telling.look(True)
    again = told(store)
    assert again is not None
    assert again.written > first.written
    os.utime(asked, (1, 1))
    hand.move(SECOND)
    telling.look(True)
    at_work.end(transaction)
    assert told(store) is None


def test_what_has_ended_is_taken_back_at_once(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    transaction = at_work.begin("web", "GET /")
    assert len(tell(telling, hand, store).flights) == 1
    at_work.end(transaction)
    telling.look(False)  # no second has passed
    after = told(store)
    assert after is not None
    assert after.flights == ()


def test_the_file_is_private(store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer) -> None:
    transaction = at_work.begin("web", "GET /")
    tell(telling, hand, store)
    at_work.end(transaction)
    made = {file.name: stat.S_IMODE(file.stat().st_mode) for file in asked.parent.iterdir()}
    assert made[f"here-{os.getpid()}.json"] == 0o600
    assert not [name for name in made if name.endswith(".new")]


@pytest.mark.parametrize("how", ["open to others", "a link"])
def test_a_folder_others_could_read_along_in_is_refused(
    how: str, store: Path, asked: Path, telling: Live, hand: Hand
) -> None:
    folder = asked.parent
    if how == "a link":
        elsewhere = store.parent / "elsewhere"
        folder.rename(elsewhere)
        folder.symlink_to(elsewhere)
    else:
        folder.chmod(0o777)
    telling.look(True)
    hand.move(SECOND)
    with pytest.raises(StoreError, match="live"):
        telling.look(True)
    assert told(store) is None


def test_r04_a_forked_child_tells_for_itself(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    transaction = at_work.begin("web", "GET /")
    tell(telling, hand, store)
    mine = Path(shape.file_of(shape.folder_of(str(store)), "here", os.getpid()))
    before = mine.read_bytes()
    child = os.fork()
    if child == 0:
        try:
            attribution.forget()
            telling.look(False)
            telling.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    at_work.end(transaction)
    assert mine.read_bytes() == before


# ------------------------------------------------------------------------------------------ what is told


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


# ------------------------------------------------------------------------------------------ a capture of some seconds


def ask_for(store: Path, length: float, name: str = "00000000000000aa") -> None:
    folder = shape.folder_of(str(store))
    Path(seconds.asked_of(folder)).write_text(seconds.to_ask(seconds.Asked(name, length, time.time())))


def captured(store: Path) -> seconds.Captured | None:
    return seconds.read(seconds.file_of(shape.folder_of(str(store)), "here", os.getpid()))


def hearing(store: Path, hand: Hand) -> tuple[Live, list[Any]]:
    """A telling whose samples are put there by hand."""
    heard: list[Any] = []

    def hear(samples: list[Any] | None) -> None:
        heard[:] = [samples]

    return Live(Whose(str(store), "shop", "here"), Origin(), hear, Clock(hand)), heard


def test_a_capture_holds_the_stacks_of_its_seconds_alone(store: Path, asked: Path, hand: Hand) -> None:
    telling, heard = hearing(store, hand)
    key = (burn.__code__, 0)
    telling.look(True)
    hand.move(SECOND)
    heard[0].append((key, 7))  # before it is asked for
    ask_for(store, 2)
    telling.look(True)
    begun = captured(store)
    assert begun is not None
    assert (begun.id, begun.done, begun.stacks) == ("00000000000000aa", False, ())
    for weight in (10, 20):
        heard[0].append((key, weight))
        hand.move(SECOND)
        telling.look(True)
    done = captured(store)
    assert done is not None
    (seen,) = done.stacks
    assert (seen.ns, seen.samples, done.done, done.service) == (30, 2, True, "shop")
    assert seen.stack[-1].function == "burn"
    heard[0].append((key, 40))  # after it
    hand.move(SECOND)
    telling.look(True)
    assert captured(store) == done


def test_what_was_sampled_last_is_told_before_the_sampler_sleeps(
    store: Path, asked: Path, hand: Hand
) -> None:
    telling, heard = hearing(store, hand)
    telling.look(True)
    hand.move(SECOND)
    ask_for(store, 5)
    telling.look(True)
    heard[0].append(((burn.__code__, 0), 10))
    telling.look(False)
    found = captured(store)
    assert found is not None
    assert [seen.ns for seen in found.stacks] == [10]
    before = os.stat(seconds.file_of(shape.folder_of(str(store)), "here", os.getpid())).st_mtime_ns
    telling.look(False)
    assert os.stat(seconds.file_of(shape.folder_of(str(store)), "here", os.getpid())).st_mtime_ns == before


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        "{}",
        '{"id": "x", "seconds": 5, "at": 1}',
        '{"id": "00000000000000aa", "seconds": 900, "at": 1}',
    ],
)
def test_r40_an_asking_that_makes_no_sense_is_none(said: str, store: Path, asked: Path, hand: Hand) -> None:
    telling, _ = hearing(store, hand)
    telling.look(True)
    hand.move(SECOND)
    Path(seconds.asked_of(str(asked.parent))).write_text(said)
    telling.look(True)
    assert captured(store) is None


def test_an_old_asking_captures_nothing(store: Path, asked: Path, hand: Hand) -> None:
    telling, _ = hearing(store, hand)
    telling.look(True)
    hand.move(SECOND)
    ask_for(store, 5)
    os.utime(seconds.asked_of(str(asked.parent)), (1, 1))
    telling.look(True)
    assert captured(store) is None


def test_stacks_past_the_most_stand_under_one_name() -> None:
    capture = Capture(seconds.Asked("00000000000000aa", 5, 0), 0)
    for line in range(seconds.MOST_STACKS + 3):
        capture.add((Frame("f", "x.py", line, "app", ""),), 1)
    told = capture.told("apm.db", "shop", "here", 1, True)
    assert len(told.stacks) == seconds.MOST_STACKS + 1
    assert {seen.stack: (seen.ns, seen.samples) for seen in told.stacks}[seconds.OTHER] == (3, 3)


# ------------------------------------------------------------------------------------------ with a real sampler


def burn(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(500))


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
        burn(0.2)
        found = told(store)
        if found is not None and found.sampled_ns > 3 * SECOND // 10:
            break
    tracer.end(transaction)
    assert found is not None
    by_name = {each.function: each for each in found.functions}
    assert by_name["burn"].own_ns > 0.5 * found.sampled_ns
    assert by_name["burn"].total_ns <= found.sampled_ns
    assert sum(each.own_ns for each in found.functions) == found.sampled_ns
    kept = finished[0]
    assert found.sampled_ns <= sum(sample.weight_ns for sample in kept.samples) + sum(
        (kept.weights or {}).values()
    )
    telling.close()
    assert sampler.looks.heard is None
    assert told(store) is None
