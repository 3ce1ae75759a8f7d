"""The manners of the sampling thread: what it leaves as it was, and how it behaves when nobody wants it."""

from __future__ import annotations

import gc
import os
import sys
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from apm_agent.model.profile import RUNNING
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution, native
from apm_agent.profiling.sampler import Sampler
from apm_agent.tracing.tracer import Tracer
from computing import in_python, in_sleep, wait_for
from noise import best_of_three

Made = Callable[[float, float], Sampler]
Turned = Callable[..., tuple[Tracer, list[Any]]]


def one_transaction(sampler: Sampler, work: Callable[[float], None], seconds: float) -> Transaction:
    transaction = Transaction("web", "x", time.monotonic_ns())
    sampler.start(transaction)
    work(seconds)
    transaction.end_ns = time.monotonic_ns()
    sampler.stop(transaction)
    return transaction


def test_the_switch_interval_is_restored(traced: Turned, make_sampler: Made) -> None:
    before = sys.getswitchinterval()
    sampler = make_sampler(0.002, 0.5)
    tracer, finished = traced(sampler)
    transaction = tracer.begin("web", "x")
    in_python(0.1)
    tracer.end(transaction)
    assert finished[0].samples
    sampler.close()
    wait_for(lambda: sampler.stats()["looks"] > 0 and sys.getswitchinterval() == before)


def test_an_application_that_sets_the_switch_interval_keeps_its_own(
    traced: Turned, make_sampler: Made
) -> None:
    before = sys.getswitchinterval()
    sampler = make_sampler(0.02, 0.5)
    tracer, _ = traced(sampler)
    try:
        transaction = tracer.begin("web", "x")
        in_python(0.05)
        sys.setswitchinterval(0.0123)
        in_python(0.1)
        tracer.end(transaction)
        sampler.close()
        wait_for(lambda: sys.getswitchinterval() == pytest.approx(0.0123))
    finally:
        sys.setswitchinterval(before)


def test_once_closed_it_leaves_the_switch_interval_alone(traced: Turned, make_sampler: Made) -> None:
    before = sys.getswitchinterval()
    sampler = make_sampler(0.002, 0.5)
    tracer, finished = traced(sampler)
    transaction = tracer.begin("web", "x")
    in_python(0.05)
    sampler.close()
    wait_for(lambda: sys.getswitchinterval() == before)
    tracer.end(transaction)
    in_python(0.05)  # a look is overdue by now, and nobody will take it
    tracer.end(tracer.begin("web", "late"))
    assert len(finished) == 2
    assert sys.getswitchinterval() == before


@pytest.mark.parametrize("enabled", [True, False])
def test_r01_the_collector_is_left_as_it_was(traced: Turned, enabled: bool, make_sampler: Made) -> None:
    sampler = make_sampler(0.001, 1.0)
    tracer, finished = traced(sampler)
    try:
        (gc.enable if enabled else gc.disable)()
        threshold = gc.get_threshold()
        transaction = tracer.begin("web", "x")
        in_python(0.1)
        tracer.end(transaction)
        sampler.close()
        assert finished[0].samples
        assert (gc.isenabled(), gc.get_threshold()) == (enabled, threshold)
    finally:
        gc.enable()


@best_of_three
def test_the_budget_makes_looks_rarer(traced: Turned, make_sampler: Made) -> None:
    sampler = make_sampler(0.001, 0.001)
    tracer, finished = traced(sampler)
    transaction = tracer.begin("web", "x")
    in_python(1.0)
    tracer.end(transaction)
    stats = sampler.stats()
    sampler.close()
    assert stats["interval_ms"] > 5
    assert stats["looks"] < 400
    assert sum(s.weight_ns for s in finished[0].samples) > 0.6 * finished[0].duration_ns, "none less truthful"


def test_stats_say_what_the_health_page_shows(sampler: Sampler) -> None:
    stats = sampler.stats()
    assert set(stats) >= {
        "interval_ms", "achieved_per_s", "cpu_share", "budget", "late_ms_p90", "uncertain_share", "state",
    }  # fmt: skip
    assert stats["state"] == "not started"
    assert stats["late_ms_p90"] is None


def test_r02_a_build_without_the_gil_is_refused_with_words(
    monkeypatch: pytest.MonkeyPatch, make_sampler: Made
) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    sampler = make_sampler(0.001, 1.0)
    threads = threads_of_this_process()
    transaction = one_transaction(sampler, in_python, 0.05)
    assert not transaction.samples
    assert "GIL" in sampler.stats()["state"]
    assert threads_of_this_process() <= threads


def threads_of_this_process() -> int:
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0


def test_r20_nothing_of_a_finished_transaction_is_held(traced: Turned, make_sampler: Made) -> None:
    class Canary:
        pass

    sampler = make_sampler(0.002, 0.5)
    tracer, finished = traced(sampler)

    def view() -> weakref.ref[Canary]:
        canary = Canary()
        in_python(0.1)
        return weakref.ref(canary)

    transaction = tracer.begin("web", "x")
    ref = view()
    tracer.end(transaction)
    assert finished[0].samples
    sampler.close()
    wait_for(lambda: ref() is None)
    assert not attribution.anyone()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_closing_ends_the_thread(make_sampler: Made) -> None:
    before = set(os.listdir("/proc/self/task"))
    sampler = make_sampler(0.002, 0.5)
    one_transaction(sampler, in_python, 0.05)
    (thread,) = set(os.listdir("/proc/self/task")) - before
    sampler.close()
    wait_for(lambda: thread not in os.listdir("/proc/self/task"))
    assert sampler.stats()["state"] == "closed"


def test_the_native_primitives_are_the_interpreters_own() -> None:
    assert native.original("time", "sleep") is time.sleep
    assert native.refusal() == ""
    assert not native.at_exit()


def test_samples_are_marked_running_when_nothing_is_in_doubt(sampler: Sampler) -> None:
    transaction = one_transaction(sampler, in_sleep, 0.2)
    assert {s.state for s in transaction.samples} == {RUNNING}
