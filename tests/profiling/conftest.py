from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apm_agent.profiling import attribution
from apm_agent.profiling.sampler import Sampler
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.tracer import Tracer
from looking import looker, run
from telling import asked, at_work, hand, store, telling

__all__ = ["asked", "at_work", "hand", "looker", "run", "store", "telling"]


@pytest.fixture(autouse=True)
def nobody_at_work() -> Iterator[None]:
    attribution.forget()
    yield
    attribution.forget()


@pytest.fixture
def make_sampler() -> Iterator[Callable[[float, float], Sampler]]:
    """Samplers that are closed whatever happens: two in one process would both book."""
    made: list[Sampler] = []

    def make(interval: float, budget: float) -> Sampler:
        made.append(Sampler(interval, budget))
        return made[-1]

    yield make
    for sampler in made:
        sampler.close()


@pytest.fixture
def sampler(make_sampler: Callable[[float, float], Sampler]) -> Sampler:
    return make_sampler(0.005, 0.5)


@pytest.fixture
def traced() -> Iterator[Callable[..., tuple[Tracer, list[Any]]]]:
    """Turn a tracer with the given profilers on; answers it and the list of what it hands on."""
    before = tracing.tracer

    def turn_on(*profilers: Any) -> tuple[Tracer, list[Any]]:
        finished: list[Any] = []
        tracing.tracer = Tracer(finished.append, profilers)
        return tracing.tracer, finished

    yield turn_on
    tracing.tracer = before
