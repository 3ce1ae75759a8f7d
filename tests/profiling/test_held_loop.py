"""Who held the loop: it is charged with what the others waited, to its line."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest

from looking import MS, Looker, Turned, fetch
from noise import best_of_three


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


@best_of_three
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
