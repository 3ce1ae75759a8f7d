"""An agent with a store of its own, and logging instruments in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import apm_agent
from apm_agent.errors import contained
from apm_agent.queries.connection import connect
from apm_agent.queries.errors import errors
from apm_agent.queries.trace import trace
from apm_agent.queries.window import of_range
from apm_agent.tracing.current import current


class Kept(NamedTuple):
    """What the store says."""

    url: str

    def trace(self, name: str) -> dict[str, Any]:
        """The only transaction of a name."""
        assert apm_agent.flush(10)
        with connect(self.url) as connection:
            [(number,)] = connection.rows(
                "SELECT x.id FROM transactions x JOIN endpoints e ON e.id = x.endpoint_id WHERE e.name = ?",
                (name,),
            )
            found = trace(connection, number)
        assert found is not None
        return found

    def errors(self) -> list[dict[str, Any]]:
        """The groups of the last minutes."""
        assert apm_agent.flush(10)
        with connect(self.url) as connection:
            found: list[dict[str, Any]] = errors(connection, of_range("15m"))["errors"]
            return found


def failing(name: str, say: Callable[[], object]) -> None:
    """A transaction that says something, and then fails."""

    @apm_agent.background_transaction(name)
    def job() -> None:
        say()
        raise LookupError("no such price")

    with pytest.raises(LookupError):
        job()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    url = f"sqlite:///{tmp_path}/apm.db"
    contained.seen.clear()
    apm_agent.install(store=url, sampler=False, memory=False)
    try:
        yield Kept(url)
    finally:
        apm_agent.uninstall()
        assert current.get() is None
        assert not contained.seen
