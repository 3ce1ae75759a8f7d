"""A tracer that keeps what ends, and the instruments in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from apm_agent.errors import contained
from apm_agent.instruments import patching
from apm_agent.model.span import Span
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current
from apm_agent.tracing.tracer import Tracer

pytest.register_assert_rewrite("drivers")

Traced = Callable[[], AbstractContextManager[list[Span]]]


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Every test ends with nothing current, nothing patched and nothing that failed inside us."""
    contained.seen.clear()
    yield
    assert current.get() is None
    assert not contained.seen
    assert {state for _, state, _ in patching.states()} == {"disabled"}


@pytest.fixture
def sink(nothing_left_behind: None) -> Iterator[list[Transaction]]:
    """The agent's tracer, with a list at its end."""
    ended: list[Transaction] = []
    tracing.tracer = Tracer(sink=ended.append)
    yield ended
    tracing.tracer = None


@pytest.fixture
def instruments(sink: list[Transaction]) -> Iterator[None]:
    """All instruments in place."""
    patching.apply()
    yield
    patching.remove()


@pytest.fixture
def traced(instruments: None, sink: list[Transaction]) -> Traced:
    """``with traced() as spans:`` runs a transaction; afterwards all its spans are closed."""

    @contextmanager
    def run() -> Iterator[list[Span]]:
        active = tracing.tracer
        assert active is not None
        transaction = active.begin("web", "GET /")
        try:
            yield transaction.spans
        finally:
            assert current.get() is transaction
            active.end(transaction)
        assert all(span.end_ns >= span.start_ns > 0 for span in transaction.spans), "each span was closed"

    return run
