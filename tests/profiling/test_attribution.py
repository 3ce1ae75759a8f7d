"""Sixteen transactions at once, in every way work is spread: each gets its own samples."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from types import FunctionType
from typing import Any

import pytest

from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.sampler import Sampler
from apm_agent.tracing.tracer import Tracer
from noise import at_best

anyio = pytest.importorskip("anyio")

MANY = 16
Turned = Callable[..., tuple[Tracer, list[Any]]]


@pytest.fixture
def worker_threads() -> Iterator[None]:
    """The instrument's rows, placed by hand: `submit` and `run_sync` pass the function through `lend`."""
    from apm_agent.instruments.threads import lend

    submit, run_sync = ThreadPoolExecutor.submit, anyio.to_thread.run_sync

    @functools.wraps(submit)
    def lending_submit(self: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        return submit(self, lend(function), *args, **kwargs)

    @functools.wraps(run_sync)
    async def lending_run_sync(function: Any, *args: Any, **kwargs: Any) -> Any:
        return await run_sync(lend(function), *args, **kwargs)

    ThreadPoolExecutor.submit = lending_submit  # type: ignore[method-assign]
    anyio.to_thread.run_sync = lending_run_sync
    yield
    ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]
    anyio.to_thread.run_sync = run_sync


def _compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(50))


def busy_function(number: int) -> Callable[[float], None]:
    """A function that is its transaction's own, told by its name in every stack."""
    code = _compute.__code__.replace(co_name=f"busy_{number}")
    return FunctionType(code, globals())


def check(finished: list[Transaction], least: int, work: Callable[[], object]) -> None:
    """Of the work at its best: who had no processor during the work was not looked at."""

    def measure() -> None:
        finished.clear()
        work()
        check_once(finished, least)

    at_best(measure)


def check_once(finished: list[Transaction], least: int) -> None:
    right = wrong = 0
    for transaction in finished:
        own = f"busy_{transaction.name}"
        for sample in transaction.samples:
            busy = {c.co_name for c in sample.stack[::2] if c.co_name.startswith("busy_")}
            right += own in busy
            wrong += bool(busy - {own})
    everyone = {t.name for t in finished if own_samples(t)}
    assert right >= least, f"only {right} samples in a busy function"
    assert wrong <= 0.05 * (right + wrong), f"{wrong} of {right + wrong} on another transaction"
    assert len(everyone) == MANY, f"only {sorted(everyone)} have samples of their own"


def own_samples(transaction: Transaction) -> int:
    """How many samples are in the transaction's own busy function."""
    own = f"busy_{transaction.name}"
    return sum(any(code.co_name == own for code in sample.stack[::2]) for sample in transaction.samples)


def test_threads(sampler: Sampler, traced: Turned) -> None:
    tracer, finished = traced(sampler)
    together = threading.Barrier(MANY)

    def request(number: int) -> None:
        together.wait()
        transaction = tracer.begin("web", str(number))
        busy_function(number)(0.4)
        tracer.end(transaction)

    def work() -> None:
        threads = [threading.Thread(target=request, args=(n,)) for n in range(MANY)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    check(finished, 50, work)


def test_asyncio_tasks(sampler: Sampler, traced: Turned, run: Callable[[Any], Any]) -> None:
    tracer, finished = traced(sampler)

    async def request(number: int) -> None:
        transaction = tracer.begin("web", str(number))
        busy = busy_function(number)
        for _ in range(50):
            busy(0.005)
            await asyncio.sleep(0)
        tracer.end(transaction)

    async def main() -> None:
        await asyncio.gather(*(asyncio.create_task(request(n)) for n in range(MANY)))

    check(finished, 50, lambda: run(main()))
    booked = sum(s.weight_ns for t in finished for s in t.samples)
    whole = max(t.end_ns for t in finished) - min(t.start_ns for t in finished)
    assert booked < 1.1 * whole, "one loop: time is booked once, not on each that waits"


def test_a_task_that_waits_is_booked_as_waiting_and_nothing_else(sampler: Sampler, traced: Turned) -> None:
    tracer, finished = traced(sampler)

    done = asyncio.Event()

    async def waits() -> None:
        transaction = tracer.begin("web", "waits")
        await done.wait()
        tracer.end(transaction)

    async def works() -> None:
        transaction = tracer.begin("web", "works")
        until = time.monotonic() + 20
        while len(transaction.samples) < 40 and time.monotonic() < until:
            _compute(0.005)
            await asyncio.sleep(0)
        tracer.end(transaction)
        done.set()

    async def main() -> None:
        await asyncio.gather(asyncio.create_task(waits()), asyncio.create_task(works()))

    asyncio.run(main())
    waiting, working = sorted(finished, key=lambda t: t.name)
    assert len(working.samples) >= 40
    assert len(waiting.samples) <= 2
    waited = sum(wait.weight_ns for wait in waiting.waits)
    assert 0.8 * waiting.duration_ns < waited <= waiting.duration_ns
    assert {wait.stack[0].co_name for wait in waiting.waits} == {"wait"}


def test_worker_threads_of_an_event_loop(
    sampler: Sampler, traced: Turned, run: Callable[[Any], Any], worker_threads: None
) -> None:
    tracer, finished = traced(sampler)
    ways: list[Callable[..., Any]] = [
        anyio.to_thread.run_sync,
        asyncio.to_thread,
        lambda f, s: asyncio.get_running_loop().run_in_executor(None, f, s),
    ]

    async def request(number: int) -> None:
        transaction = tracer.begin("web", str(number))
        await ways[number % 3](busy_function(number), 0.4)
        tracer.end(transaction)

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(MANY))
        await asyncio.gather(*(asyncio.create_task(request(n)) for n in range(MANY)))

    check(finished, 50, lambda: run(main()))


def test_r24_a_pool_inside_a_pool(sampler: Sampler, traced: Turned, worker_threads: None) -> None:
    tracer, finished = traced(sampler)
    with ThreadPoolExecutor(MANY) as outer, ThreadPoolExecutor(MANY) as inner:

        def request(number: int) -> None:
            transaction = tracer.begin("web", str(number))
            inner.submit(busy_function(number), 0.4).result()
            tracer.end(transaction)

        def work() -> None:
            for future in [outer.submit(request, n) for n in range(MANY)]:
                future.result()

        check(finished, 50, work)
    assert not attribution.threads


def test_a_function_that_outlives_its_transaction_is_nobodys(traced: Turned, worker_threads: None) -> None:
    from apm_agent.tracing.current import current_transaction

    tracer, _ = traced()
    seen: list[Any] = []
    go = threading.Event()

    def late() -> None:
        go.wait()
        seen.append((current_transaction(), dict(attribution.threads)))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(go.wait)
        transaction = tracer.begin("web", "x")
        queued = pool.submit(late)
        tracer.end(transaction)
        go.set()
        queued.result()
    assert seen == [(None, {})]


def test_a_transaction_inside_another_gives_its_thread_back() -> None:
    outer, inner = Transaction("background", "job", 1), Transaction("web", "GET /", 2)
    attribution.begin(outer)
    attribution.begin(inner)
    ident = threading.get_ident()
    assert attribution.threads[ident] == (inner, 2)
    inner.ended = True
    attribution.end(inner)
    assert attribution.threads[ident] == (outer, 1)
    attribution.end(outer)
    assert not attribution.anyone()


def test_a_transaction_ended_on_another_thread_leaves_its_own() -> None:
    transaction = Transaction("web", "GET /", 1)
    attribution.begin(transaction)
    thread = threading.Thread(target=attribution.end, args=(transaction,))
    thread.start()
    thread.join()
    assert not attribution.anyone()


def test_the_context_of_a_task_is_found_on_every_version() -> None:
    async def main() -> Context | None:
        task = asyncio.current_task()
        return attribution.context_of(task)

    assert isinstance(asyncio.run(main()), Context)


def test_r06_no_event_loop_is_imported_to_find_out() -> None:
    import subprocess

    code = (
        "import sys\n"
        "from apm_agent.profiling.sampler import Sampler\n"
        "from apm_agent.profiling.memory import Memory\n"
        "from apm_agent.profiling.cpu import Cpu\n"
        "from apm_agent.profiling.gc import Collections\n"
        "from apm_agent.profiling.cprofile import Deterministic\n"
        "from apm_agent.model.transaction import Transaction\n"
        "t = Transaction('web', 'x', 1)\n"
        "for p in (Sampler(), Memory(), Cpu(), Collections()): p.start(t); p.stop(t)\n"
        "print(sorted({'asyncio', 'ssl', 'socket', 'greenlet', 'gevent', 'trio'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
