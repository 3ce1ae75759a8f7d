"""What an export is about: one transaction, or endpoints in a window; each knows its sources."""

from __future__ import annotations

from collections.abc import Collection

from apm_agent.model.callgraph import Callgraph
from apm_agent.model.profile import Profile
from apm_agent.model.record import Record
from apm_agent.queries import callgraph, recorded
from apm_agent.queries import profile as profiles
from apm_agent.queries.connection import Connection
from apm_agent.queries.profile import Profiled
from apm_agent.queries.window import Window


class OneTransaction:
    """A transaction, by its number."""

    prefers = "callgraph"

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self._number = number

    def kept(self) -> bool:
        """Whether its detail is in the store."""
        wanted = "SELECT 1 FROM traces WHERE transaction_id = ?"
        return self._connection.row(wanted, (self._number,)) is not None

    def profiled(self) -> Profiled:
        """Its samples; none when its detail was not kept."""
        return profiles.of_transaction(self._connection, self._number) or Profiled([], 1)

    def profile(self) -> Profile | None:
        """None when its detail was not kept."""
        return self.profiled().profile() if self.kept() else None

    def callgraph(self) -> Callgraph | None:
        """None when it was not measured."""
        return callgraph.of_transaction(self._connection, self._number)

    def record(self) -> Record | None:
        """None when its detail was not kept."""
        return recorded.record(self._connection, self._number)


class Endpoints:
    """Some endpoints in a window."""

    def __init__(
        self,
        connection: Connection,
        window: Window,
        endpoints: Collection[int],
        releases: tuple[int, ...] | None = None,
    ) -> None:
        self._asked = (connection, window, endpoints, releases)

    @property
    def prefers(self) -> str:
        """Of several endpoints some were measured and others not; samples are there of all."""
        return "callgraph" if len(self._asked[2]) == 1 else "profile"

    def profiled(self) -> Profiled:
        """All samples of the window."""
        return profiles.of_window(*self._asked)

    def profile(self) -> Profile | None:
        """The same, states together."""
        return self.profiled().profile()

    def callgraph(self) -> Callgraph | None:
        """None when no transaction of the window was measured."""
        merged = callgraph.of_window(*self._asked)
        return merged.callgraph if merged.transactions else None

    def record(self) -> Record | None:
        """Never: many transactions have no order."""
        return None


Subject = OneTransaction | Endpoints
