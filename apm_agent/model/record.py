"""A record: a finished transaction as plain text and numbers, what the writer hands to the store.

Everything the request's thread could not afford is done by now: places are frames, SQL is normalised, context is
scrubbed, insights are found. Offsets are nanoseconds from the transaction's start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from apm_agent.model.callgraph import Callgraph
from apm_agent.model.insight import Insight
from apm_agent.model.profile import Frame, Stack

#: Where time can go, in the order every page shows it. `python` is what no span and no GC pause claims.
TIME_KINDS = ("python", "db", "http", "template", "cache", "wait", "queue", "gc")

#: Why a transaction's detail (spans, samples) was kept.
KEPT = ("slow", "failed", "first", "memory", "insight", "uniform", "captured")


class SpanRecord(NamedTuple):
    """A span: index of its parent in the list (None: the transaction), own time, normalised SQL for kind `db`.

    `via` is the function of a library, below the own line, that tells what asked for it; it is not kept.
    """

    parent: int | None
    kind: str
    name: str
    offset_ns: int
    duration_ns: int
    self_ns: int
    statement: str | None
    where: Frame | None
    tags: dict[str, Any] | None
    open: bool
    via: Frame | None = None


class SampleRecord(NamedTuple):
    """A look at a stack: offset, weight, the stack outermost first, its state and cpu (see `model.profile`)."""

    offset_ns: int
    weight_ns: int
    stack: Stack
    state: int
    cpu_ns: int | None = None


class FailureRecord(NamedTuple):
    """An exception: class, scrubbed message, innermost own frame, and the stack it was raised in, outermost first."""

    type: str
    message: str
    where: Frame | None
    stack: Stack = ()


class BlockedRecord(NamedTuple):
    """Who held the event loop while the transaction was ready to run: endpoint, record, line, ns.

    Of `maybe_ns` it is only known that what it awaited had come when the loop was free again.
    """

    name: str
    record_id: int | None
    where: Frame | None
    ns: int
    maybe_ns: int


class BlockingRecord(NamedTuple):
    """How many transactions waited for the event loop that this one held, and how long together."""

    victims: int
    ns: int
    maybe_ns: int


@dataclass(slots=True)
class Record:
    """One finished transaction, ready to be kept. `None` means not known."""

    id: int
    kind: str
    name: str
    started_at: int
    duration_ns: int
    method: str | None = None
    path: str | None = None
    view: str | None = None
    status: int | None = None
    failure: FailureRecord | None = None
    queue_ns: int | None = None
    first_byte_ns: int | None = None
    cpu_ns: int | None = None
    rss_before: int | None = None
    rss_after: int | None = None
    rss_curve: list[tuple[int, int]] | None = None
    overlap: int = 0
    #: ns by TIME_KINDS; `queue` is before the start and not part of the duration
    times: dict[str, int] = field(default_factory=dict)
    queries: int = 0
    spans: list[SpanRecord] = field(default_factory=list)
    #: spans past the limit: (kind, name, count, ns)
    lost: list[tuple[str, str, int, int]] = field(default_factory=list)
    samples: list[SampleRecord] = field(default_factory=list)
    #: samples past the limit, without their time: (stack, state) → ns
    weights: dict[tuple[Stack, int], int] = field(default_factory=dict)
    #: of these: (stack, state) → [processor time, of how much of the time it is known]
    clocked: dict[tuple[Stack, int], list[int]] = field(default_factory=dict)
    #: what its only sample stands for beyond it: the time of others as short that no look fell into
    beyond_ns: int = 0
    beyond_cpu_ns: int = 0
    lost_samples: int = 0
    blocked: list[BlockedRecord] = field(default_factory=list)
    blocking: BlockingRecord | None = None
    #: (offset, ns, generation)
    gc_pauses: list[tuple[int, int, int]] = field(default_factory=list)
    context: dict[str, Any] | None = None
    callgraph: Callgraph | None = None
    #: what was measured of it on demand, and for which arm ("": a header asked for it)
    captured: tuple[str, str] | None = None
    #: what it allocated and kept, measured on demand, as `store.detail` writes it
    memory: dict[str, Any] | None = None
    #: (path, function, first line) → line → [hits, ns], exact
    lines: dict[tuple[str, str, int], dict[int, list[int]]] | None = None
    #: of a failed one, the last lines it logged, scrubbed: (offset, level, logger, text)
    log: list[tuple[int, str, str, str]] = field(default_factory=list)
    insights: list[Insight] = field(default_factory=list)
    #: at least as long as the setting `slow`, or above the p95 of its endpoint in the last hour
    slow: bool = False
    kept: str | None = None
    #: the chance with which one like it was kept at that time; 1.0 for what is kept because it matters
    share: float = 1.0

    @property
    def failed(self) -> bool:
        """An exception ended it, or it answered 5xx."""
        return self.failure is not None or (self.status is not None and self.status >= 500)

    @property
    def rss_kept(self) -> int | None:
        """Resident bytes this transaction alone added; None when others overlapped it or it is not known."""
        if self.overlap or self.rss_before is None or self.rss_after is None:
            return None
        return self.rss_after - self.rss_before


@dataclass(slots=True, frozen=True)
class Process:
    """The process that records, as the store knows it."""

    service: str
    environment: str
    release: str
    host: str
    pid: int
    started_at: int
    python: str
    server: str = ""
    app_root: str = ""
