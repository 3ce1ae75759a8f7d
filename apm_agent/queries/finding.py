"""One cause found in one endpoint over a window, whichever question found it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from apm_agent.model.profile import Frame
from apm_agent.queries import phrases
from apm_agent.queries.connection import Connection
from apm_agent.queries.memory import Memory
from apm_agent.queries.phrases import Evidence
from apm_agent.queries.window import Window


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause in one endpoint, over a window."""

    endpoint: int
    kind: str
    statement_id: int
    statement: str | None
    frame: Frame | None
    transactions: int
    count: int
    cost_ns: int
    cost_bytes: int
    text: str
    example: int
    """the transaction it cost most; 0 where none is known"""
    figures: dict[str, Any] | None = None
    """what a finding of many transactions rests on, as the API shows it"""
    grave: str | None = None
    """how bad it is, where that does not follow from its share of the time"""

    def evidence(self, endpoint_ns: int) -> Evidence:
        """The typical transaction that has it; `endpoint_ns` is all time of the endpoint."""
        calls = max(1, self.transactions)
        return Evidence(
            kind=self.kind,
            # A share of one call's time: said so, because other calls may spend theirs elsewhere.
            text=f"in the costliest call {self.text}" if self.kind == "hot_line" else self.text,
            count=max(1, round(self.count / calls)),
            cost_ns=self.cost_ns / calls,
            cost_bytes=self.cost_bytes / calls,
            share=min(1.0, self.cost_ns / endpoint_ns) if endpoint_ns else 0.0,
            where=self.frame,
            statement=self.statement,
        )

    def severity(self, evidence: Evidence) -> str:
        """bad, warn or info."""
        return self.grave or phrases.severity(evidence)


Seen = TypeVar("Seen")

#: A close look at an endpoint reads many rows or buckets: it holds for so many seconds.
_HOLDS = 30.0
_memory = Memory(5000)
_UNKNOWN = object()


def close_look(
    connection: Connection, window: Window, what: tuple[object, ...], look: Callable[[], Seen]
) -> Seen:
    """What `look` finds, or found a moment ago; `what` says at what it looks, and for which kind of finding."""
    length = (window.start, window.end) if window.range is None else window.range
    key = (connection.path, connection.identity, length, *what)
    known = _memory.get(key, _UNKNOWN)
    if known is not _UNKNOWN:
        return cast("Seen", known)
    found = look()
    _memory.put(key, found, _HOLDS)
    return found


#: A byte kept weighs as much as so many nanoseconds: a megabyte as 20 ms.
_NS_A_BYTE = 20
#: A failure weighs as much as so many nanoseconds: as a call that everybody would call slow.
_NS_A_FAILURE = 500_000_000
#: A hot line says where and two speeds say how, other kinds say why as well: these must take twice the time to
#: stand before them.
_LESS = {"hot_line": 0.5, "two_speeds": 0.5}


def rank(found: Finding) -> tuple[bool, float]:
    """What findings are ranked by: where many calls fail of late that comes first, however short they are."""
    return found.kind == "error_burst" and found.grave == "bad", weight(found)


def weight(found: Finding) -> float:
    """The cost of a finding in the window. What few calls had may have come upon them by chance, as a collection of
    garbage that others made: in one call it counts half, in k of them k ÷ (k + 1).
    """
    failures = found.count if found.kind == "error_burst" else 0
    cost = found.cost_ns * _LESS.get(found.kind, 1.0) + found.cost_bytes * _NS_A_BYTE
    return (cost + failures * _NS_A_FAILURE) * found.transactions / (found.transactions + 1)
