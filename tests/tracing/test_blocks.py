"""`span` and `background_transaction` around every kind of function, ended in every way."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import subprocess
import sys
import threading
import tracemalloc
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from apm_agent.clock import Clock
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.blocks import background_transaction, span
from apm_agent.tracing.current import current, current_transaction
from apm_agent.tracing.tracer import Tracer


@pytest.fixture
def ended() -> Iterator[list[Transaction]]:
    """What the sink was given; the test leaves nothing current."""
    given: list[Transaction] = []
    tracing.tracer = Tracer(sink=given.append)
    yield given
    assert current.get() is None
    assert all(s.end_ns for transaction in given for s in transaction.spans)
    tracing.tracer = None


def tree(transaction: Transaction) -> list[tuple[str, str | None]]:
    return [(s.name, s.parent.name if s.parent else None) for s in transaction.spans]


class Stop(BaseException):
    pass


def test_with_blocks_nest(ended: list[Transaction]) -> None:
    with background_transaction("job") as job:
        assert current_transaction() is job
        with span("outer", kind="cache", width=3) as outer:
            outer.tag(height=4)
            with span("inner"):
                pass
        with span():
            pass
    assert tree(ended[0]) == [("outer", None), ("inner", "outer"), ("block", None)]
    assert (ended[0].spans[0].kind, ended[0].spans[0].tags) == ("cache", {"width": 3, "height": 4})
    assert ended[0].spans[0].place == (test_with_blocks_nest.__code__, ended[0].spans[0].place[1])  # type: ignore[index]


def test_outside_of_a_transaction_or_off_it_does_nothing(ended: list[Transaction]) -> None:
    with span("nowhere") as nowhere:
        nowhere.tag(a=1)
    tracing.tracer = None
    with background_transaction("off") as off, span("off"):
        off.tag(a=1)  # type: ignore[union-attr]
    assert ended == []


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="span kind 'sql' is not one of db, http"):
        span("x", kind="sql")


def test_a_job_inside_another_is_its_span(ended: list[Transaction]) -> None:
    @background_transaction
    def inner() -> None:
        pass

    with background_transaction("outer"):
        inner()
    [job] = ended
    assert tree(job) == [(f"{__name__}.{inner.__qualname__}", None)]


@pytest.mark.parametrize(
    "error", [ValueError, Stop, KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError]
)
def test_r18_every_way_out_closes(ended: list[Transaction], error: type[BaseException]) -> None:
    @background_transaction("plain")
    @span
    def plain() -> None:
        raise error("why")

    @background_transaction("async")
    @span
    async def coroutine() -> None:
        raise error("why")

    @background_transaction("generator")
    @span
    def generator() -> Generator[int, None, None]:
        yield 1
        raise error("why")

    @background_transaction("async generator")
    @span
    async def async_generator() -> AsyncGenerator[int, None]:
        yield 1
        raise error("why")

    async def exhaust() -> None:
        async for _ in async_generator():
            pass

    for run in (plain, lambda: drive(coroutine()), lambda: list(generator()), lambda: drive(exhaust())):
        with pytest.raises(error, match="why"):
            run()
    assert [t.name for t in ended] == ["plain", "async", "generator", "async generator"]
    assert all(len(t.spans) == 1 for t in ended)
    failures = [t.failure.type.rpartition(".")[2] if t.failure else None for t in ended]
    assert failures == [None if error is GeneratorExit else error.__name__] * 4


def drive(coroutine: Any) -> Any:
    """Run a coroutine that waits for nothing, in this context, without a loop to hold on to its errors."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


def test_r12_kind_signature_and_name_are_kept() -> None:
    def plain(a: int, *, b: str = "x") -> str:
        """Says it."""
        return b * a

    async def coroutine(a: int) -> int:
        return a

    def generator(a: int) -> Generator[int, None, None]:
        yield a

    async def async_generator(a: int) -> AsyncGenerator[int, None]:
        yield a

    asks: tuple[Callable[[Any], Any], ...] = (
        inspect.isfunction,
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        inspect.signature,
        inspect.getdoc,
        inspect.getsource,
        lambda f: (f.__name__, f.__qualname__, f.__module__),
    )
    function: Callable[..., Any]
    for function in (plain, coroutine, generator, async_generator):
        for wrapped in (span(function), span("name")(function), background_transaction(function)):
            assert wrapped.__wrapped__ is function  # type: ignore[attr-defined]
            for ask in asks:
                assert ask(wrapped) == ask(function), ask


def test_methods_partials_and_marked_coroutines_keep_their_kind(ended: list[Transaction]) -> None:
    class Thing:
        async def method(self, a: int) -> int:
            return a

    asked = [span(Thing().method), span(functools.partial(Thing().method, 3))]
    with background_transaction("job"):
        assert drive(asked[0](3)) == drive(asked[1]()) == 3
    assert all(inspect.iscoroutinefunction(function) for function in asked)
    assert len(ended[0].spans) == 2


def test_a_generator_is_sent_to_thrown_into_and_closed(ended: list[Transaction]) -> None:
    said: list[Any] = []

    @span("talk")
    def talk() -> Generator[str, Any, str]:
        try:
            said.append((yield "first"))
            try:
                yield "second"
            except ValueError as error:
                said.append(str(error))
            yield "third"
        finally:
            said.append("closed")
        return "done"

    def all_of_it() -> Generator[str, Any, None]:
        said.append((yield from talk()))

    with background_transaction("job"):
        talking = all_of_it()
        assert next(talking) == "first"
        assert talking.send("hello") == "second"
        assert talking.throw(ValueError("thrown")) == "third"
        with pytest.raises(StopIteration):
            next(talking)
        assert said == ["hello", "thrown", "closed", "done"]
        early = talk()
        next(early)
        early.close()
        never = talk()
        never.close()
        dropped = talk()
        next(dropped)
        del dropped
        gc.collect()
    assert said[4:] == ["closed", "closed"]
    assert len(ended[0].spans) == 3


def test_the_consumer_of_a_generator_is_not_inside_it(ended: list[Transaction]) -> None:
    now = [0]

    @span("produce")
    def produce() -> Generator[int, None, None]:
        for i in range(3):
            now[0] += 10
            with span("query"):
                now[0] += 1
            yield i

    tracing.tracer = Tracer(sink=ended.append, clock=Clock(monotonic=lambda: now[0] + 1))
    with background_transaction("job"), span("loop"):
        for _ in produce():
            with span("consume"):
                now[0] += 1000
    spans = ended[0].spans
    assert tree(ended[0]) == [
        ("loop", None), ("produce", "loop"), ("query", "produce"), ("consume", "loop"),
        ("query", "produce"), ("consume", "loop"), ("query", "produce"), ("consume", "loop"),
    ]  # fmt: skip
    assert [s.end_ns - s.start_ns for s in spans] == [3033, 33, 1, 1000, 1, 1000, 1, 1000]


async def test_an_async_generator_is_sent_to_thrown_into_and_closed(ended: list[Transaction]) -> None:
    said: list[Any] = []

    @span("talk")
    async def talk() -> AsyncGenerator[str, Any]:
        try:
            said.append((yield "first"))
            await asyncio.sleep(0)
            try:
                yield "second"
            except ValueError as error:
                said.append(str(error))
            yield "third"
        finally:
            await asyncio.sleep(0)
            said.append("closed")

    with background_transaction("job"):
        talking = talk()
        assert await talking.__anext__() == "first"
        assert await talking.asend("hello") == "second"
        assert await talking.athrow(ValueError("thrown")) == "third"
        with pytest.raises(StopAsyncIteration):
            await talking.__anext__()
        assert said == ["hello", "thrown", "closed"]
        async for _ in talk():
            with span("consume"):
                break
        await asyncio.sleep(0)
        gc.collect()
        for _ in range(10):
            await asyncio.sleep(0)
        assert said[3:] == ["closed"]
    assert tree(ended[0]) == [("talk", None), ("talk", None), ("consume", None)]


async def test_r10_an_async_generator_is_closed_from_another_task(ended: list[Transaction]) -> None:
    problems: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))

    @span("stream")
    async def stream() -> AsyncGenerator[int, None]:
        with span("held"):
            yield 1
            yield 2

    with background_transaction("job") as job:
        left, cancelled = stream(), stream()
        assert await left.__anext__() == 1
        await asyncio.create_task(left.aclose())
        assert current.get() is job

        async def consume() -> None:
            async for _ in cancelled:
                await asyncio.sleep(60)

        task = asyncio.create_task(consume())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.create_task(cancelled.aclose())
        with span("after"):
            pass
    assert tree(ended[0])[-1] == ("after", None)
    assert problems == []


def test_r10_spans_closed_out_of_order_are_never_parents(ended: list[Transaction]) -> None:
    with background_transaction("job") as job:
        assert isinstance(job, Transaction)
        first = tracing.open_span("code", "first", leaf=True)
        assert first is not None
        contextvars.copy_context().run(tracing.close_span, first)
        assert current.get() is first
        with span("second"):
            pass
        third, fourth = tracing.open_span("code", "third"), tracing.open_span("code", "fourth")
        assert third is not None
        assert fourth is not None
        tracing.close_span(third)
        tracing.close_span(fourth)
        tracing.close_span(fourth)
        assert current.get() is job
    assert tree(ended[0]) == [("first", None), ("second", None), ("third", None), ("fourth", "third")]


def test_under_a_leaf_there_is_nothing(ended: list[Transaction]) -> None:
    with background_transaction("job"):
        leaf = tracing.open_span("db", "", leaf=True)
        assert leaf is not None
        assert tracing.open_span("db", "") is None
        tracing.close_span(leaf)
        with span("after"):
            pass
    assert tree(ended[0]) == [("", None), ("after", None)]


async def test_r23_what_outlives_its_transaction_is_not_its_child(ended: list[Transaction]) -> None:
    done = asyncio.Event()

    async def worker() -> None:
        with span("held open"):
            await done.wait()
            with span("late"):
                pass
        assert current.get() is None
        with background_transaction("own"), span("own span"):
            pass

    with background_transaction("request") as request:
        task = asyncio.create_task(worker())
        await asyncio.sleep(0)
    done.set()
    await task
    assert [(t.name, tree(t)) for t in ended] == [
        ("request", [("held open", None)]),
        ("own", [("own span", None)]),
    ]
    held = ended[0].spans.pop()
    assert held.end_ns == 0, "nobody writes to a transaction that has ended"
    assert request is ended[0]


def test_r23_a_thread_with_its_own_context_is_outside(ended: list[Transaction]) -> None:
    seen: list[Any] = []
    with background_transaction("job"):
        elsewhere = contextvars.Context()
        thread = threading.Thread(target=lambda: elsewhere.run(lambda: seen.append(current.get())))
        thread.start()
        thread.join()
    assert seen == [None]


def test_r22_a_million_spans_cost_the_same_as_a_few(ended: list[Transaction]) -> None:
    def run(count: int) -> Transaction:
        with background_transaction("job") as job:
            for i in range(count):
                span_ = tracing.open_span("db", f"q{i % 300}")
                assert span_ is not None
                tracing.close_span(span_)
        assert isinstance(job, Transaction)
        return job

    run(10_000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    job = run(100_000)
    grown = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert grown < 5 * 2**20
    assert len(job.spans) == 2000
    assert job.overflow is not None
    assert len(job.overflow) <= 101
    assert sum(count for count, _ in job.overflow.values()) == 98_000
    assert all(not s.lost for s in job.spans)
    assert sum(count for count, _ in (run(1_000_000).overflow or {}).values()) == 998_000


def test_a_transaction_let_go_of_is_freed_without_the_collector(ended: list[Transaction]) -> None:
    with background_transaction("job"), span("outer"), span("inner"):
        pass
    job = ended.pop()
    watched = weakref.finalize(_Canary.watch(job), int)
    gc.disable()
    try:
        job.release()
        del job
        assert not watched.alive
    finally:
        gc.enable()


class _Canary:
    """Something weakly referable that lives as long as a transaction does."""

    @classmethod
    def watch(cls, transaction: Transaction) -> _Canary:
        canary = cls()
        transaction.notes = {"canary": canary}
        return canary


def test_types_are_seen_through_the_decorators(tmp_path: Path) -> None:
    file = tmp_path / "user.py"
    file.write_text(
        "import apm_agent\n"
        "@apm_agent.span\n"
        "def one(a: int, *, b: str = '') -> bytes: ...\n"
        "@apm_agent.span('x', kind='db', rows=3)\n"
        "async def two(a: int) -> str: ...\n"
        "@apm_agent.background_transaction('nightly')\n"
        "def three(a: int) -> str: ...\n"
        "reveal_type(one)\nreveal_type(two)\nreveal_type(three)\n"
        "with apm_agent.span('y') as s:\n"
        "    s.tag(a=1)\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--allow-empty-bodies", str(file)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    revealed = [
        line.partition("Revealed type is ")[2] for line in run.stdout.splitlines() if "Revealed" in line
    ]
    assert [text.replace("builtins.", "").strip('"') for text in revealed] == [
        "def (a: int, *, b: str =) -> bytes",
        "def (a: int) -> typing.Coroutine[Any, Any, str]",
        "def (a: int) -> str",
    ], run.stdout
    assert "error" not in run.stdout, run.stdout
