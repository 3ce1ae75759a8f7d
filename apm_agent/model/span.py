"""A span: one timed operation inside a transaction."""

from __future__ import annotations

from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apm_agent.model.transaction import Transaction

#: What a span can be. `queue` is time before the transaction began; it is never part of its duration.
KINDS = ("db", "http", "template", "cache", "code", "wait", "queue")

#: Where in the application a span was opened: a code object and the instruction in it. Turned into file and
#: line by the writer, because doing it here would cost more than the rest of the span. Where a library's function
#: below tells more than that line, its code object too.
Place = tuple[CodeType, int] | tuple[CodeType, int, CodeType]


class Fetched:
    """How a statement's rows were read after the call that ran it had returned.

    The cursor and the span hold the same one, so that a cursor kept for long keeps no transaction in memory.
    """

    __slots__ = ("began", "error", "first_ns", "iterated", "ns", "rows")

    def __init__(self, began: int = 0) -> None:
        #: When the transaction did, for cursors with which the next one may read on.
        self.began = began
        #: Time inside the driver that no span of its own has: it is the statement's too.
        self.ns = 0
        self.rows = 0
        #: What came after the call until the first row was there, where that is a question of its own to the server.
        self.first_ns = 0
        #: Whether rows were read by iterating, which is not timed.
        self.iterated = False
        self.error: str | None = None

    def took(self, ns: int, rows: int) -> None:
        """One more fetch is over."""
        self.ns += ns
        self.rows += rows

    def failed(self, ns: int, error: BaseException) -> None:
        """A fetch ended otherwise; what is closed before its end is no error."""
        self.ns += ns
        if not isinstance(error, GeneratorExit):
            self.error = type(error).__name__

    def tags(self, call_ns: int) -> dict[str, Any]:
        """What is kept of it; `call_ns` is how long the call took that ran the statement."""
        found: dict[str, Any] = {}
        if self.ns or self.first_ns or self.iterated:
            found["first_row_ns"] = call_ns + self.first_ns
        if self.ns:
            found["fetch_ns"] = self.ns
        if self.iterated:
            found["fetch"] = "iterated, in part not timed"
        elif self.rows:
            found["rows"] = self.rows
        if self.error is not None:
            found["error"] = self.error
        return found


class Span:
    """One timed operation; `end_ns` is 0 while it runs.

    Times are on the monotonic clock, in nanoseconds. For kind `db`, `statement` is the raw SQL text while the
    process holds it: the writer normalises it and only the normalised text is ever stored.
    `leaf` marks a span below which no other instrument opens one (SQLAlchemy over psycopg stays one span);
    `lost` one past the transaction's limit, which is summed instead of kept.
    `fetched` is set where rows are read after the call returned: that time is the statement's too.
    """

    __slots__ = (
        "end_ns", "fetched", "kind", "leaf", "lost", "name", "parent", "place", "start_ns", "statement", "tags",
        "transaction",
    )  # fmt: skip

    def __init__(
        self,
        transaction: Transaction,
        parent: Span | None,
        kind: str,
        name: str,
        start_ns: int,
    ) -> None:
        self.transaction = transaction
        self.parent = parent
        self.kind = kind
        self.name = name
        self.start_ns = start_ns
        self.end_ns = 0
        self.place: Place | None = None
        self.statement: str | None = None
        self.tags: dict[str, Any] | None = None
        self.leaf = False
        self.lost = False
        self.fetched: Fetched | None = None

    @property
    def until_ns(self) -> int:
        """When it ended, had it gone on without a pause: its own end, and the time its rows took after that."""
        return self.end_ns + self.fetched.ns if self.fetched is not None else self.end_ns

    def tag(self, **tags: Any) -> None:
        """Add key–values to this span; a later value replaces an earlier one."""
        if self.tags is None:
            self.tags = tags
        else:
            self.tags.update(tags)
