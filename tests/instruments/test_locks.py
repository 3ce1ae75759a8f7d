"""Real waiting for locks, events, queues and futures; what is shorter than 5 ms leaves no span."""

from __future__ import annotations

import copy
import inspect
import pickle
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import urllib3

from apm_agent.instruments import patching

LONG = 0.02


def released_later(release: Callable[[], Any], condition: Any) -> threading.Thread:
    """Releases what somebody waits for, some time after he began to."""

    def run() -> None:
        while not condition._waiters:
            time.sleep(0.001)
        time.sleep(LONG)
        release()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def by_event() -> threading.Thread:
    event = threading.Event()
    thread = released_later(event.set, event._cond)
    assert event.wait(10)
    return thread


def by_semaphore() -> threading.Thread:
    semaphore = threading.BoundedSemaphore(1)
    semaphore.acquire()
    thread = released_later(semaphore.release, semaphore._cond)
    assert semaphore.acquire(timeout=10)
    return thread


def by_queue() -> threading.Thread:
    items: queue.Queue[int] = queue.Queue()
    thread = released_later(lambda: items.put(1), items.not_empty)
    assert items.get(timeout=10) == 1
    return thread


def by_future() -> threading.Thread:
    future: Future[int] = Future()
    thread = released_later(lambda: future.set_result(1), future._condition)
    assert future.result(10) == 1
    return thread


def by_condition() -> threading.Thread:
    condition = threading.Condition()

    def notify() -> None:
        with condition:
            condition.notify_all()

    with condition:
        thread = released_later(notify, condition)
        assert condition.wait(10)
    return thread


@pytest.mark.parametrize("wait", [by_event, by_semaphore, by_queue, by_future, by_condition])
def test_a_long_wait_is_a_span_of_the_line_that_waits(
    wait: Callable[[], threading.Thread], instruments: None, traced: Any
) -> None:
    with traced() as spans:
        wait().join()
    assert [(s.kind, s.name, s.tags) for s in spans] == [("wait", "lock", None)]
    assert spans[0].end_ns - spans[0].start_ns >= 5_000_000
    assert spans[0].start_ns >= spans[0].transaction.start_ns
    assert spans[0].place[0].co_name == wait.__name__


def test_what_need_not_wait_leaves_none(instruments: None, traced: Any) -> None:
    event, semaphore, items = threading.Event(), threading.Semaphore(1), queue.Queue[int]()
    event.set()
    with traced() as spans:
        assert event.wait(10)
        with semaphore:
            items.put(1)
            assert items.get() == 1
    assert spans == []


def test_r18_what_is_raised_passes_through(instruments: None, traced: Any) -> None:
    condition = threading.Condition()
    with traced() as spans:
        with pytest.raises(RuntimeError, match="un-acquired"):
            condition.wait()
        with pytest.raises(queue.Empty):
            queue.Queue[int]().get(timeout=LONG)
    assert [span.name for span in spans] == ["lock"]


def test_what_a_library_waits_for_inside_is_not_the_applications(instruments: None, traced: Any) -> None:
    pool = urllib3.HTTPConnectionPool("127.0.0.1", 1, maxsize=1, block=True)
    held = pool._get_conn()
    with traced() as spans:
        thread = released_later(lambda: pool._put_conn(held), pool.pool.not_empty)
        assert pool._get_conn(timeout=10) is held
        thread.join()
    pool.close()
    assert spans == []


def test_outside_a_transaction_nothing_is_kept(instruments: None, sink: list[Any]) -> None:
    by_event().join()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(int, "1").result() == 1
    assert sink == []


def test_r12_r43_conditions_are_what_they_were() -> None:
    def facts() -> list[Any]:
        wait = threading.Condition.wait
        return [
            str(inspect.signature(wait)), inspect.getfullargspec(wait), wait.__qualname__, inspect.isfunction(wait),
            pickle.loads(pickle.dumps(wait)) is wait, copy.copy(wait) is wait, wait.__doc__,
        ]  # fmt: skip

    original, before = vars(threading.Condition)["wait"], facts()
    patching.apply()
    try:
        assert vars(threading.Condition)["wait"] is not original
        assert facts() == before
    finally:
        patching.remove()
    assert vars(threading.Condition)["wait"] is original
