"""What a tracer tells its profilers, also when one of them fails."""

from __future__ import annotations

from apm_agent.errors import contained
from apm_agent.model.transaction import Transaction
from apm_agent.tracing.tracer import Tracer


class Heard:
    """A profiler that notes what it hears, and may fail at it."""

    def __init__(self, name: str, heard: list[str], fails: bool = False) -> None:
        self.name = name
        self.heard = heard
        self.fails = fails

    def start(self, transaction: Transaction) -> None:
        self._hear(f"{self.name} starts")

    def stop(self, transaction: Transaction) -> None:
        self._hear(f"{self.name} stops")

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        if self.fails:
            raise RuntimeError(f"test_tracer: {what}")


def test_one_that_fails_keeps_no_other_from_starting_or_stopping() -> None:
    heard: list[str] = []
    given: list[Transaction] = []
    a, b, c = Heard("a", heard), Heard("b", heard, fails=True), Heard("c", heard)
    tracer = Tracer(given.append, (a, b, c))
    transaction = tracer.begin("web", "GET /")
    tracer.end(transaction)
    assert heard == ["a starts", "b starts", "c starts", "c stops", "b stops", "a stops"]
    assert given == [transaction]
    for what, when in (("starts", "beginning"), ("stops", "ending")):
        assert contained.seen.pop((f"{when} a transaction", f"RuntimeError: test_tracer: b {what}")) == 1
