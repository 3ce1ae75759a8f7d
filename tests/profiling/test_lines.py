"""Line timings are exact: so many hits as there were, of this transaction alone, in every kind of function."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType
from typing import Any

import pytest

import apm_agent
from apm_agent.errors import ConfigError
from apm_agent.model.arm import LINES, Arm, Function
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import decorated, linetimer
from apm_agent.profiling.lines import LineTimings
from apm_agent.tracing.tracer import Tracer

Traced = Callable[..., tuple[Tracer, list[Any]]]

if not linetimer.installed():  # asked without loading it: how it is loaded matters
    pytest.skip("line_profiler is not installed", allow_module_level=True)


@pytest.fixture(autouse=True)
def untraced() -> Iterator[None]:
    """A coverage tool traces by the same means, and two cannot."""
    before = sys.gettrace()
    sys.settrace(None)
    yield
    assert sys.gettrace() is None
    sys.settrace(before)


@pytest.fixture
def tracer(traced: Traced) -> Iterator[Tracer]:
    before = decorated._watching
    decorated.watch()
    yield traced()[0]
    decorated._watching = before


def total(count: int) -> int:
    result = 0
    for number in range(count):
        result += number
    return result


def twice(function: Callable[..., int]) -> Callable[..., int]:
    def inner(count: int) -> int:
        return function(count) + function(count)

    return inner


@twice
def behind(count: int) -> int:
    result = 1
    return result + count


@apm_agent.profile_lines
def plain(count: int) -> int:
    result = 0
    for number in range(count):
        result += number
    return result


@apm_agent.profile_lines
async def awaited(turns: int) -> int:
    result = 0
    for _ in range(turns):
        await asyncio.sleep(0)
        result += plain(2)
    return result


@apm_agent.profile_lines
def generated(count: int) -> Iterator[int]:
    for number in range(count):
        got = yield number
        assert got is None


@apm_agent.profile_lines
async def generated_async(count: int) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(0)
        yield number


def hits(transaction: Transaction, function: Any) -> list[int]:
    """Hits of the lines of a function in order, those never reached left out."""
    code = inspect.unwrap(function).__code__
    timings = (transaction.notes or {}).get("lines", {})
    name = getattr(code, "co_qualname", code.co_name)
    lines = timings.get((code.co_filename, name, code.co_firstlineno), {})
    assert all(ns >= 0 for _, ns in lines.values())
    return [lines[line][0] for line in sorted(lines)]


def test_a_function_line_by_line_and_only_of_this_transaction(tracer: Tracer) -> None:
    plain(50)
    for count in (3, 5):
        transaction = tracer.begin("web", "GET /")
        plain(count)
        plain(1)
        tracer.end(transaction)
        assert hits(transaction, plain) == [2, count + 3, count + 1, 2]
    assert sys.gettrace() is None


def test_it_stays_what_it_was(tracer: Tracer) -> None:
    assert str(inspect.signature(plain)) == "(count: 'int') -> 'int'"
    assert plain.__name__ == "plain"
    assert plain(4) == 6
    assert inspect.iscoroutinefunction(awaited)
    assert inspect.isgeneratorfunction(generated)
    assert inspect.isasyncgenfunction(generated_async)
    transaction = tracer.begin("web", "GET /")
    with pytest.raises(TypeError):
        plain("three")  # type: ignore[arg-type]
    tracer.end(transaction)
    assert hits(transaction, plain) == [1, 1]


def test_other_threads_count_for_themselves(tracer: Tracer) -> None:
    over = threading.Event()
    started = threading.Barrier(2)

    def other() -> None:
        beside = tracer.begin("web", "GET /other")
        started.wait()
        while not over.is_set():
            plain(7)
        tracer.end(beside)

    thread = threading.Thread(target=other)
    thread.start()
    started.wait()
    transaction = tracer.begin("web", "GET /")
    for _ in range(20):
        plain(100)
    tracer.end(transaction)
    over.set()
    thread.join()
    assert hits(transaction, plain) == [20, 20 * 101, 20 * 100, 20]


async def test_tasks_that_take_turns_count_for_themselves(tracer: Tracer) -> None:
    async def request(turns: int) -> Transaction:
        transaction = tracer.begin("web", f"GET /{turns}")
        assert await awaited(turns) == turns
        tracer.end(transaction)
        return transaction

    ended = await asyncio.gather(*(request(turns) for turns in (1, 4, 9)))
    for transaction, turns in zip(ended, (1, 4, 9), strict=True):
        assert hits(transaction, awaited) == [1, turns + 1, turns, turns, 1]
        assert hits(transaction, plain) == [turns, 3 * turns, 2 * turns, turns]
    assert sys.gettrace() is None


async def test_generators_of_both_kinds(tracer: Tracer) -> None:
    transaction = tracer.begin("web", "GET /")
    assert list(generated(3)) == [0, 1, 2]
    assert [number async for number in generated_async(2)] == [0, 1]
    early = generated(9)
    assert next(early) == 0
    early.close()
    tracer.end(transaction)
    assert hits(transaction, generated)[0] == 5
    assert hits(transaction, generated_async)[0] == 3


def test_exceptions_go_in_and_out(tracer: Tracer) -> None:
    @apm_agent.profile_lines
    def echo() -> Iterator[Any]:
        while True:
            try:
                yield 1
            except KeyError as error:
                yield error

    transaction = tracer.begin("web", "GET /")
    turns: Any = echo()
    assert next(turns) == 1
    thrown = KeyError("x")
    assert turns.throw(thrown) is thrown
    with pytest.raises(ValueError, match="y"):
        turns.throw(ValueError("y"))
    tracer.end(transaction)


def test_a_debugger_is_left_alone(tracer: Tracer) -> None:
    def debugger(frame: Any, event: str, argument: Any) -> None:
        return None

    transaction = tracer.begin("web", "GET /")
    sys.settrace(debugger)
    try:
        assert plain(3) == 3
        assert sys.gettrace() is debugger
    finally:
        sys.settrace(None)
    tracer.end(transaction)
    assert hits(transaction, plain) == []


def test_what_cannot_be_timed_is_refused() -> None:
    with pytest.raises(ConfigError, match="functions written in Python"):
        apm_agent.profile_lines(len)


def test_without_the_library_it_says_what_to_install() -> None:
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "line_profiler":
            raise ModuleNotFoundError(name)
sys.modules["line_profiler"] = None
sys.meta_path.insert(0, Absent())
import apm_agent
try:
    apm_agent.profile_lines(lambda: 1)
except apm_agent.errors.ConfigError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert "pip install 'apm-agent[lines]'" in run.stdout, run.stderr


# Armed


def function_of(function: FunctionType, line: int = 0) -> Function:
    code = function.__code__
    return Function(
        code.co_filename, getattr(code, "co_qualname", code.co_name), line or code.co_firstlineno + 2
    )


def arm(*functions: Function) -> Arm:
    return Arm("0" * 16, "GET /orders", LINES, 1, 0, 1, "", functions)


def test_armed_functions_are_found_timed_and_given_back() -> None:
    before = total.__code__
    capture, armed = LineTimings(), arm(function_of(total))
    assert capture.prepare(armed) == ""
    assert total.__code__ is not before
    assert (total.__code__.co_filename, total.__code__.co_firstlineno) == (__file__, before.co_firstlineno)
    for count in (4, 6):
        transaction = Transaction("web", "GET /orders", 0)
        assert capture.begin(transaction, armed) == ""
        assert not capture.idle
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(total, 1000).result()
        assert total(count) == sum(range(count))
        assert capture.end(transaction, True) == ""
        assert hits(transaction, total) == [1, count + 1, count, 1]
    capture.over()
    assert total.__code__ is before
    assert capture.idle


def test_a_function_behind_a_decorator_is_found() -> None:
    inner = inspect.getclosurevars(behind).nonlocals["function"]
    capture, armed = LineTimings(), arm(function_of(inner))
    assert capture.prepare(armed) == ""
    transaction = Transaction("web", "GET /orders", 0)
    capture.begin(transaction, armed)
    behind(1)
    capture.end(transaction, True)
    capture.over()
    assert hits(transaction, inner) == [2, 2]


def test_functions_of_one_code_are_all_timed() -> None:
    made = [twice(total), twice(total)]
    capture, armed = LineTimings(), arm(function_of(made[0], made[0].__code__.co_firstlineno))  # type: ignore[arg-type, attr-defined]
    assert capture.prepare(armed) == ""
    transaction = Transaction("web", "GET /orders", 0)
    capture.begin(transaction, armed)
    assert [each(3) for each in made] == [6, 6]
    capture.end(transaction, True)
    capture.over()
    assert hits(transaction, made[0]) == [2]


def test_what_this_process_does_not_have_is_said() -> None:
    assert "no function was named" in LineTimings().prepare(arm())
    why = LineTimings().prepare(arm(Function("/nowhere.py", "gone", 3)))
    assert why == "this process has no gone as it was sampled"


def test_none_of_them_ran() -> None:
    capture, armed = LineTimings(), arm(function_of(total))
    capture.prepare(armed)
    transaction = Transaction("web", "GET /orders", 0)
    capture.begin(transaction, armed)
    assert capture.end(transaction, True) == "none of the functions ran on its own thread"
    capture.over()


def test_thrown_away_it_does_not_come_back() -> None:
    capture, armed = LineTimings(), arm(function_of(total))
    capture.prepare(armed)
    first, second = Transaction("web", "GET /a", 0), Transaction("web", "GET /b", 0)
    capture.begin(first, armed)
    total(5)
    assert capture.end(first, False) == ""
    assert not first.notes
    capture.begin(second, armed)
    total(1)
    capture.end(second, True)
    capture.over()
    assert hits(second, total) == [1, 2, 1, 1]


def test_ended_on_another_thread_it_is_taken_off_later() -> None:
    capture, armed = LineTimings(), arm(function_of(total))
    capture.prepare(armed)
    transaction = Transaction("web", "GET /orders", 0)
    capture.begin(transaction, armed)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(capture.end, transaction, True).result() == "it ended on another thread"
    assert sys.gettrace() is not None
    assert not capture.idle
    capture.relieve()
    assert sys.gettrace() is None
    assert capture.idle
    capture.over()
