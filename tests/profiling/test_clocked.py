"""The processor time samples get, of real threads: as much as the thread's own clock says, and none for waiting."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from apm_agent.model.profile import Sample
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.cpu import Cpu
from apm_agent.profiling.sampler import Sampler
from apm_agent.tracing.tracer import Tracer
from computing import in_python, in_sleep, without_the_gil

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="asks the kernel for another thread's time"
)
Made = Callable[[float, float], Sampler]
Turned = Callable[..., tuple[Tracer, list[Any]]]
MS = 1_000_000


def spent_in(samples: list[Sample], function: Callable[..., Any]) -> int:
    return sum(s.cpu_ns or 0 for s in samples if function.__code__ in s.stack)


def test_the_samples_of_a_thread_sum_to_its_clock(traced: Turned, make_sampler: Made) -> None:
    tracer, finished = traced(make_sampler(0.004, 0.5), Cpu())
    transaction = tracer.begin("web", "GET /")
    for _ in range(12):
        in_python(0.04)
        in_sleep(0.03)
        without_the_gil(0.04)
    in_python(0.02)
    tracer.end(transaction)
    (done,) = finished
    assert all(sample.cpu_ns is not None for sample in done.samples)
    given = sum(sample.cpu_ns for sample in done.samples)
    assert done.cpu_ns is not None
    assert given == pytest.approx(done.cpu_ns, rel=0.1)
    assert spent_in(done.samples, in_sleep) < 0.05 * given
    assert spent_in(done.samples, in_python) == pytest.approx(500 * MS, rel=0.2)
    assert spent_in(done.samples, without_the_gil) == pytest.approx(480 * MS, rel=0.2)


def test_of_threads_that_compete_each_gets_what_its_own_clock_says(
    traced: Turned, make_sampler: Made
) -> None:
    tracer, finished = traced(make_sampler(0.004, 0.5), Cpu())

    def serve() -> None:
        transaction = tracer.begin("web", "GET /")
        for _ in range(8):
            in_python(0.04)
            in_sleep(0.01)
        tracer.end(transaction)

    threads = [threading.Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for done in finished:
        given = sum(sample.cpu_ns for sample in done.samples)
        # What came after its last sample is not given, and looks come late where threads compete.
        assert 0.5 * done.cpu_ns < given < 1.05 * done.cpu_ns
        assert given < 0.8 * sum(sample.weight_ns for sample in done.samples), "it waited for the GIL"


def test_a_thread_that_got_the_number_of_one_long_gone_is_asked_by_its_own(
    traced: Turned, make_sampler: Made
) -> None:
    tracer, finished = traced(make_sampler(0.004, 0.5), Cpu())

    def serve() -> None:
        transaction = tracer.begin("web", "GET /")
        in_python(0.05)
        tracer.end(transaction)

    for _ in range(6):
        thread = threading.Thread(target=serve)
        thread.start()
        thread.join()
    assert any(done.samples for done in finished)
    assert all(sample.cpu_ns is not None for done in finished for sample in done.samples)


def test_nothing_is_known_at_the_first_look_at_a_lent_thread(make_sampler: Made) -> None:
    from apm_agent.profiling.look import Look

    now = [0]
    look = Look(lambda: now[0])
    transaction = Transaction("web", "GET /", 0)
    lent, go = threading.Event(), threading.Event()

    def borrowed() -> None:
        before = attribution.lend(transaction)
        lent.set()
        go.wait()
        attribution.give_back(before)

    thread = threading.Thread(target=borrowed)
    thread.start()
    lent.wait()
    for now[0] in (10 * MS, 20 * MS):
        look.look(planned_ns=10 * MS)
    go.set()
    thread.join()
    first, second = transaction.samples
    assert first.cpu_ns is None
    assert second.cpu_ns is not None
    assert second.cpu_ns < 10 * MS
