"""Resident memory inside a transaction: a point where it changed, the peak whatever happens, and within bounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from apm_agent.clock import Clock
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.curve import Curve, add
from apm_agent.profiling.memory import Memory
from apm_agent.profiling.sampler import Sampler
from apm_agent.tracing.tracer import Tracer

MB = 2**20


def test_a_point_where_it_changed() -> None:
    transaction = Transaction("web", "GET /", 0)
    for at, size in ((1, 10), (2, 10), (3, 12), (4, 12), (5, 11)):
        add(transaction, at, size)
    assert transaction.rss_curve == [(1, 10), (3, 12), (5, 11)]


def test_at_most_two_hundred_and_the_peak_is_among_them() -> None:
    transaction = Transaction("web", "GET /", 0)
    for at in range(100_000):
        add(transaction, at, at % 977 + (10**6 if at == 333 else 0))
    points = transaction.rss_curve or []
    assert 100 <= len(points) <= 200
    assert points == sorted(points)
    assert max(size for _, size in points) == 10**6 + 333


def test_all_that_are_open_share_a_reading(make_sampler: Callable[[float, float], Sampler]) -> None:
    now = 40
    curve = Curve(Memory(), Clock(monotonic=lambda: now * 1_000_000))
    first, second, ended = (Transaction("web", name, 0) for name in ("a", "b", "c"))
    for ident, transaction in enumerate((first, second, ended)):
        attribution.threads[ident] = (transaction, 0)
    attribution.threads[9] = (first, 0)  # a worker thread, lent to it
    ended.ended = True
    assert curve.look(True) >= 0
    assert first.rss_curve is None, "open for 40 ms only"
    now = 70
    assert curve.look(False) == 0
    assert first.rss_curve is None
    assert curve.look(True) >= 0
    assert first.rss_curve == second.rss_curve
    assert first.rss_curve is not None
    assert [at for at, _ in first.rss_curve] == [70_000_000]
    assert ended.rss_curve is None


def test_a_peak_between_begin_and_end_is_seen(
    sampler: Sampler, traced: Callable[..., tuple[Tracer, list[Any]]]
) -> None:
    memory = Memory()
    sampler.beside = Curve(memory).look
    tracer, _ = traced(memory, sampler)
    transaction = tracer.begin("web", "GET /export")

    def reached(size: int) -> bool:
        return any(point >= (transaction.rss_before or 0) + size for _, point in transaction.rss_curve or ())

    deadline = time.monotonic() + 20
    held = bytearray(60 * MB)
    while not reached(50 * MB) and time.monotonic() < deadline:
        sum(range(1000))
    del held
    tracer.end(transaction)
    assert reached(50 * MB)
    assert (transaction.rss_after or 0) < (transaction.rss_before or 0) + 30 * MB
