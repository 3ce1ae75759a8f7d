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


class Span:
    """One timed operation; `end_ns` is 0 while it runs.

    Times are on the monotonic clock, in nanoseconds. For kind `db`, `statement` is the raw SQL text while the
    process holds it: the writer normalises it and only the normalised text is ever stored.
    `leaf` marks a span below which no other instrument opens one (SQLAlchemy over psycopg stays one span);
    `lost` one past the transaction's limit, which is summed instead of kept.
    """

    __slots__ = (
        "end_ns", "kind", "leaf", "lost", "name", "parent", "place", "start_ns", "statement", "tags", "transaction",
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

    def tag(self, **tags: Any) -> None:
        """Add key–values to this span; a later value replaces an earlier one."""
        if self.tags is None:
            self.tags = tags
        else:
            self.tags.update(tags)
