"""What the sampling thread sees, against truth that is timed inside the threads it looks at."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from apm_agent.profiling.memory import Memory
from apm_agent.profiling.sampler import Sampler
from apm_agent.tracing.tracer import Tracer
from computing import in_json, in_python, in_sleep, without_the_gil

MS = 1_000_000
Made = Callable[[float, float], Sampler]
Turned = Callable[..., tuple[Tracer, list[Any]]]

STEPS = ((in_python, 0.03), (in_sleep, 0.03), (in_json, 0.02), (without_the_gil, 0.04))
OF = {function.__code__: function.__name__ for function, _ in STEPS}


def test_a_profile_agrees_with_the_truth(traced: Turned, make_sampler: Made) -> None:
    """Sleeping and C included, within three points at a thousand samples; truth is timed inside the worker."""
    sampler = make_sampler(0.004, 0.5)
    tracer, finished = traced(sampler)
    truth: Counter[str] = Counter()
    while sum(len(t.samples) for t in finished) < 1100:
        transaction = tracer.begin("web", "GET /")
        for _ in range(4):
            for function, seconds in STEPS:
                began = time.monotonic_ns()
                function(seconds)
                truth[function.__name__] += time.monotonic_ns() - began
        tracer.end(transaction)
    sampler.close()
    seen: Counter[str] = Counter()
    for transaction in finished:
        for sample in transaction.samples:
            name = next((OF[code] for code in sample.stack[::2] if code in OF), None)
            if name:
                seen[name] += sample.weight_ns
    share = {n: 100 * seen[n] / sum(seen.values()) for n in truth}
    true = {n: 100 * truth[n] / sum(truth.values()) for n in truth}
    assert {n: round(share[n] - true[n], 1) for n in truth if abs(share[n] - true[n]) > 3} == {}, (
        share,
        true,
    )


def test_the_weights_of_a_transaction_sum_to_its_duration_on_average(
    traced: Turned, make_sampler: Made
) -> None:
    sampler = make_sampler(0.01, 0.5)
    tracer, finished = traced(sampler)
    for _ in range(60):
        transaction = tracer.begin("web", "GET /")
        time.sleep(0.025)  # nobody computes: looks come in time
        tracer.end(transaction)
    sampler.close()
    whole = sum(t.duration_ns for t in finished)
    assert 0.85 * whole < sum(s.weight_ns for t in finished for s in t.samples) < 1.15 * whole


def test_what_a_short_transaction_does_first_counts_as_much_as_what_it_does_last(
    traced: Turned, make_sampler: Made
) -> None:
    sampler = make_sampler(0.01, 0.5)
    tracer, finished = traced(sampler)

    def first() -> None:
        time.sleep(0.006)

    def last() -> None:
        time.sleep(0.006)

    for _ in range(250):
        transaction = tracer.begin("web", "GET /")
        first()
        last()
        tracer.end(transaction)
    sampler.close()
    seen: Counter[str] = Counter()
    for transaction in finished:
        for sample in transaction.samples:
            seen.update(
                {c.co_name: sample.weight_ns for c in sample.stack[::2] if c.co_name in ("first", "last")}
            )
    assert 0.38 < seen["first"] / (seen["first"] + seen["last"]) < 0.62


def test_transactions_shorter_than_a_wait_for_the_gil_are_seen(traced: Turned, make_sampler: Made) -> None:
    # None of them gives the GIL up by itself.
    sampler = make_sampler(0.01, 0.5)
    tracer, finished = traced(Memory(), sampler)
    for _ in range(3000):
        transaction = tracer.begin("web", "GET /")
        in_python(0.0005)
        tracer.end(transaction)
    sampler.close()
    samples = [sample for transaction in finished for sample in transaction.samples]
    assert len(samples) >= 0.8 * sum(transaction.duration_ns for transaction in finished) / (10 * MS)
    assert sum(in_python.__code__ in sample.stack for sample in samples) >= 0.9 * len(samples)
