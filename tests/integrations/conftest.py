"""What tests of integrations see: the transactions of this process, in the order they ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apm_agent.clock import Clock
from apm_agent.integrations import naming
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current
from apm_agent.tracing.tracer import Tracer
from hand import Hand


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def seen(hand: Hand) -> Iterator[list[Transaction]]:
    """The finished transactions, timed by `hand`; nothing is current before and nothing after."""
    before = tracing.tracer
    ended: list[Transaction] = []
    assert current.get() is None
    tracing.tracer = Tracer(sink=ended.append, clock=Clock(monotonic=hand))
    known = (naming._names, naming._path_names, naming._by_path)
    for names in known:
        names.clear()
    try:
        yield ended
        assert current.get() is None, "something is still current"
        assert all(transaction.ended for transaction in ended)
    finally:
        tracing.tracer = before
        current.set(None)
        for names in known:
            names.clear()
