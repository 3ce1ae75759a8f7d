"""The callgraph agrees with cProfile, and measuring one transaction disturbs nobody."""

from __future__ import annotations

import asyncio
import cProfile
import json
import pstats
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from apm_agent.model.callgraph import Call, Callgraph, Node
from apm_agent.model.origin import Origin
from apm_agent.model.transaction import Transaction
from apm_agent.profiling.calls import Counter
from apm_agent.profiling.cprofile import Deterministic
from apm_agent.profiling.frames import resolve
from apm_agent.profiling.sampler import Sampler


def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def even(n: int) -> bool:
    return n == 0 or odd(n - 1)


def odd(n: int) -> bool:
    return n != 0 and even(n - 1)


def numbers() -> Any:
    yield from range(5)


def fails() -> None:
    try:
        json.loads("{")
    except ValueError:
        pass


def work() -> None:
    for _ in range(20):
        json.dumps({"a": [1, 2, 3] * 10})
    fib(9)
    even(7)
    list(numbers())
    fails()
    sorted([3, 1, 2], key=lambda x: -x)


def asked() -> Transaction:
    transaction = Transaction("web", "GET /", 1)
    transaction.notes = {"cprofile": True}
    return transaction


def measured(function: Callable[[], Any]) -> Callgraph:
    profiler, transaction = Deterministic(0), asked()
    profiler.start(transaction)
    function()
    profiler.stop(transaction)
    assert transaction.callgraph is not None
    assert sys.getprofile() is None
    return transaction.callgraph()


def truth(function: Callable[[], Any]) -> Any:
    """What pstats says, with nobody else's thread in it."""
    profile = cProfile.Profile()
    profile.enable()
    function()
    profile.disable()
    return pstats.Stats(profile).stats  # type: ignore[attr-defined]


def test_counts_and_callers_are_those_of_pstats() -> None:
    work()  # warm: caches are filled alike
    graph, stats = measured(work), truth(work)
    ours = {tuple(node): (call.primitive, call.calls) for node, call in graph.functions.items()}
    theirs = {key: value[:2] for key, value in stats.items() if "disable" not in key[2]}
    assert {k: (ours.get(k), v) for k, v in theirs.items() if ours.get(k) != v} == {}
    for key, (_, _, _, _, callers) in stats.items():
        if "disable" in key[2]:
            continue
        mine = {tuple(c): (p.calls, p.primitive) for c, p in graph.callers[Node(*key)].items()}
        assert mine == {c: part[:2] for c, part in callers.items()}, key


def test_times_add_up_as_in_pstats() -> None:
    def steps() -> None:
        time.sleep(0.03)
        for _ in range(3):
            nap()

    def nap() -> None:
        time.sleep(0.01)

    graph = measured(steps)
    by_name = {node.function: call for node, call in graph.functions.items()}
    sleep = by_name["<built-in method time.sleep>"]
    assert 60_000_000 <= sleep.own_ns <= by_name["steps"].total_ns
    assert by_name["nap"].total_ns >= 30_000_000
    assert by_name["nap"].calls == 3
    own = sum(call.own_ns for call in graph.functions.values())
    assert own == pytest.approx(by_name["steps"].total_ns, rel=0.05)
    assert isinstance(sleep, Call)


def test_nothing_of_ours_is_in_it() -> None:
    graph = measured(work)
    assert not [node for node in graph.functions if "profiling/c" in node.path]


def test_a_thread_beside_it_is_not_in_it() -> None:
    stop = threading.Event()

    def beside() -> None:
        while not stop.is_set():
            fib(3)

    thread = threading.Thread(target=beside)
    thread.start()
    graph = measured(lambda: time.sleep(0.05))
    stop.set()
    thread.join()
    assert not [node for node in graph.functions if node.function in ("fib", "beside")]


def test_one_at_a_time_and_the_others_are_told() -> None:
    profiler, first, second = Deterministic(0), asked(), asked()
    profiler.start(first)
    thread = threading.Thread(target=lambda: (profiler.start(second), profiler.stop(second)))
    thread.start()
    thread.join()
    profiler.stop(first)
    assert first.callgraph is not None
    assert second.callgraph is None
    assert second.notes is not None
    assert "another transaction" in second.notes["cprofile_note"]
    assert profiler.counts == {"measured": 1, "another transaction is being measured": 1}
    third = asked()
    profiler.start(third)
    profiler.stop(third)
    assert third.callgraph is not None


def test_another_profiler_is_left_alone() -> None:
    calls: list[str] = []

    def theirs(frame: Any, event: str, argument: Any) -> None:
        calls.append(event)

    profiler, transaction = Deterministic(0), asked()
    sys.setprofile(theirs)
    try:
        profiler.start(transaction)
        profiler.stop(transaction)
        assert sys.getprofile() is theirs
    finally:
        sys.setprofile(None)
    assert transaction.callgraph is None
    assert transaction.notes is not None
    assert "another profiler" in transaction.notes["cprofile_note"]


def test_on_an_event_loop_it_is_refused_with_words() -> None:
    profiler, transaction = Deterministic(0), asked()

    async def main() -> None:
        profiler.start(transaction)
        await asyncio.sleep(0)
        profiler.stop(transaction)

    asyncio.run(main())
    assert transaction.callgraph is None
    assert transaction.notes is not None
    assert "event loop" in transaction.notes["cprofile_note"]


def test_ended_on_another_thread_it_is_unwound_where_it_began() -> None:
    profiler, transaction = Deterministic(0), asked()
    ended = threading.Event()
    seen: list[Any] = []

    def begins() -> None:
        profiler.start(transaction)
        ended.wait()
        later = Transaction("web", "GET /", 1)
        profiler.start(later)
        profiler.stop(later)
        seen.append(sys.getprofile())

    thread = threading.Thread(target=begins)
    thread.start()
    while not profiler.counts:
        time.sleep(0.001)
    profiler.stop(transaction)
    ended.set()
    thread.join()
    assert seen == [None]
    assert transaction.callgraph is None
    again = asked()
    profiler.start(again)
    profiler.stop(again)
    assert again.callgraph is not None


def test_an_exception_leaves_no_profiler_behind() -> None:
    profiler, transaction = Deterministic(0), asked()
    profiler.start(transaction)
    with pytest.raises(ZeroDivisionError):
        1 / 0  # noqa: B018
    profiler.stop(transaction)
    assert sys.getprofile() is None
    assert transaction.callgraph is not None


def test_the_share_decides_who_is_measured() -> None:
    def count(share: float) -> int:
        profiler, count = Deterministic(share), 0
        for _ in range(200):
            transaction = Transaction("web", "x", 1)
            profiler.start(transaction)
            profiler.stop(transaction)
            count += transaction.callgraph is not None
        return count

    assert count(0.0) == 0
    assert count(1.0) == 200
    assert 30 < count(0.4) < 140


def test_r04_a_child_of_a_process_that_was_measuring_can_measure() -> None:
    profiler = Deterministic(0)
    profiler.start(asked())
    profile = profiler._watched
    profiler.after_fork()
    assert profile is not None
    profile[2].disable()
    transaction = asked()
    profiler.start(transaction)
    profiler.stop(transaction)
    assert transaction.callgraph is not None


def test_the_counter_alone_agrees_with_pstats_on_every_version() -> None:
    work()
    counter = Counter()
    counter.enable()
    work()
    counter.disable()
    counter.snapshot_stats()
    theirs = {k: v[:2] for k, v in truth(work).items() if "disable" not in k[2]}
    ours = {k: v[:2] for k, v in counter.stats.items() if "disable" not in k[2]}
    assert {k: v for k, v in theirs.items() if ours.get(k) != v} == {}


def slow_line() -> int:
    total = 0
    for i in range(400_000):
        total += i * i % 7
    return total


def quick_line() -> int:
    return sum(range(1000))


def test_cprofile_and_the_sampler_name_the_same_top_line(sampler: Sampler) -> None:
    def view() -> None:
        for _ in range(8):
            slow_line()
            quick_line()

    graph = measured(view)
    top = max(graph.functions.items(), key=lambda item: item[1].own_ns)[0]
    transaction = Transaction("web", "x", time.monotonic_ns())
    sampler.start(transaction)
    view()
    transaction.end_ns = time.monotonic_ns()
    sampler.stop(transaction)
    own: dict[str, int] = {}
    for sample in transaction.samples:
        frame = resolve(sample.stack, Origin())[-1]
        own[frame.function] = own.get(frame.function, 0) + sample.weight_ns
    assert top.function == "slow_line" == max(own, key=lambda name: own[name])
