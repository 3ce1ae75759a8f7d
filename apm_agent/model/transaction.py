"""A transaction: one unit of work the process did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from apm_agent.model.blocking import Blocked, Culprit
from apm_agent.model.callgraph import Callgraph
from apm_agent.model.chance import bits
from apm_agent.model.profile import Sample, StackKey, Wait
from apm_agent.model.span import Place, Span

#: Kinds of transactions. Only the first two enter latency percentiles.
KINDS = ("web", "background", "websocket", "stream")
TIMED_KINDS = ("web", "background")

#: Who may rename a transaction: a name is replaced only by one of the same or a higher priority.
DEFAULT, FALLBACK, ROUTE, VIEW, USER = range(5)


#: Stands for a list nobody has made yet: to read it is as to read an empty one.
NONE_YET: Any = ()

#: Keys of `notes` that are results: what was measured on demand and for which arm, line timings, memory.
CAPTURED, LINES, MEMORY = "captured", "lines", "memory"
#: The key of `notes` with the trace it belongs to, across services.
TRACE = "trace"


class Failure(NamedTuple):
    """An exception: its class, its message (scrubbed by the writer) and the innermost place in the user's own code.

    `stack` is what its traceback went through, outermost first; of a deep one the innermost part.
    """

    type: str
    message: str
    place: Place | None
    stack: tuple[Place, ...] = ()


class Pause(NamedTuple):
    """One garbage collection inside a transaction: start on the monotonic clock, length, generation."""

    start_ns: int
    duration_ns: int
    generation: int


class Transaction:
    """One unit of work; written by one thread or task at a time, and by nobody once `ended`.

    Times are monotonic nanoseconds; the wall time of its start is made by the writer. `None` means *not known*.
    `cpu_ns` is the CPU time of the thread that did the work, None where other work shared the thread.
    `rss_before`/`rss_after` are resident bytes of the whole process; `overlap` is how many other transactions
    were open at any time meanwhile (0: the difference is this one's own).
    """

    __slots__ = (
        "blocked", "blocking", "callgraph", "clocked", "context", "cpu_ns", "end_ns", "ended", "failure",
        "first_byte_ns", "gc_pauses", "id", "ignored", "kind", "lost_samples", "method", "name", "name_priority",
        "notes", "overflow", "overlap", "path", "queue_ns", "rss_after", "rss_before", "rss_curve", "samples", "spans",
        "start_ns", "status", "thread_id", "view", "waits", "weights",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917
        self,
        kind: str,
        name: str,
        start_ns: int,
        notes: dict[Any, Any] | None = None,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        self.id = bits(64)
        self.kind = kind
        self.name = name
        self.name_priority = DEFAULT
        self.start_ns = start_ns
        self.end_ns = 0
        self.ended = False
        self.ignored = False
        self.thread_id = 0
        self.method = method
        self.path = path
        self.view: str | None = None
        self.status: int | None = None
        self.failure: Failure | None = None
        self.queue_ns: int | None = None
        self.first_byte_ns: int | None = None
        self.cpu_ns: int | None = None
        self.rss_before: int | None = None
        self.rss_after: int | None = None
        self.rss_curve: list[tuple[int, int]] | None = None
        self.overlap = 0
        self.gc_pauses: list[Pause] | None = None
        self.context: dict[str, Any] | None = None
        self.spans: list[Span] = []
        #: spans past the limit, summed: (kind, name) → [count, ns]
        self.overflow: dict[tuple[str, str], list[int]] | None = None
        # Most end before the first look at them: a list is made by whoever has something to put in. What is made for
        # each is kept by each until it is written, and gone through by the garbage collector.
        self.samples: list[Sample] = NONE_YET
        #: what it was suspended in, where it runs on an event loop or in a greenlet
        self.waits: list[Wait] = NONE_YET
        #: who held the event loop while it was ready to run, and, where it held it, who waited
        self.blocked: list[Blocked] | None = None
        self.blocking: Culprit | None = None
        #: samples past the limit, summed: (stack, state) → ns
        self.weights: dict[tuple[StackKey, int], int] | None = None
        #: of these: (stack, state) → [processor time, of how many ns it is known]
        self.clocked: dict[tuple[StackKey, int], list[int]] | None = None
        self.lost_samples = 0
        #: what was measured call by call, made when it is asked for
        self.callgraph: Callable[[], Callgraph] | None = None
        #: what profilers carry from start to stop, by their own key
        self.notes = notes

    @property
    def duration_ns(self) -> int:
        """Time from begin to end; 0 while it runs."""
        return self.end_ns - self.start_ns if self.end_ns else 0

    def rename(self, name: str, priority: int) -> None:
        """Take `name` unless one of a higher priority is already there."""
        if priority >= self.name_priority:
            self.name = name
            self.name_priority = priority

    def release(self) -> None:
        """Let go of the spans, which point back here: the pair is then freed without the garbage collector."""
        self.spans = []

    @property
    def failed(self) -> bool:
        """An exception ended it, or it answered 5xx."""
        return self.failure is not None or (self.status is not None and self.status >= 500)
