"""A tracer, recorder, writer and store, connected as the agent connects them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apm_agent.clock import Clock, system
from apm_agent.config import Config
from apm_agent.insights import INSIGHTS
from apm_agent.model.origin import Origin
from apm_agent.model.transaction import Transaction
from apm_agent.recording.digest import Digest
from apm_agent.recording.recorder import Recorder
from apm_agent.recording.writer import Writer
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current
from apm_agent.tracing.tracer import Tracer, close_span, open_span
from records import process


class Line:
    """The whole way from a request to the file."""

    def __init__(self, path: Path, config: Config, clock: Clock, interval: float) -> None:
        self.path = path
        self.recorder = Recorder(config.max_queue, config.ignore)
        self.digest = Digest(config, Origin(), INSIGHTS, clock)
        self.writer = Writer(self.recorder, self.open_store, self.digest.digest, interval, clock=clock)
        self.tracer = Tracer(self.recorder, (), clock, config.max_spans)

    def open_store(self) -> SQLiteStore:
        return SQLiteStore(str(self.path), process(), busy=0.2)

    def request(
        self,
        name: str = "GET /orders",
        queries: int = 0,
        status: int = 200,
        error: BaseException | None = None,
    ) -> Transaction:
        tracing.tracer = self.tracer
        transaction = self.tracer.begin("web", name)
        transaction.method, transaction.path, transaction.status = "GET", "/orders", status
        for _ in range(queries):
            span = open_span("db", "query", leaf=True)
            if span is not None:
                span.statement = "SELECT name FROM customer WHERE id = 7"
                close_span(span)
        self.tracer.end(transaction, error)
        return transaction


@pytest.fixture
def make_line(tmp_path: Path) -> Iterator[Callable[..., Line]]:
    made: list[Line] = []

    def make(clock: Clock = system, interval: float = 60.0, **settings: Any) -> Line:
        line = Line(tmp_path / "store" / "apm.db", Config(**settings), clock, interval)
        made.append(line)
        return line

    yield make
    for line in made:
        line.writer.close(5)
    tracing.tracer = None
    current.set(None)


@pytest.fixture
def line(make_line: Callable[..., Line]) -> Line:
    return make_line()
