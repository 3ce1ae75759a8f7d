"""What the rules share: where own code stood, which samples no span explains, how times are said."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from apm_agent.model.origin import APP
from apm_agent.model.profile import Frame, Stack
from apm_agent.model.record import Record, SpanRecord
from apm_agent.model.threshold import Thresholds

MS = 1_000_000
#: Kinds of spans whose time has a name of its own.
_NAMED = frozenset({"db", "http", "template", "cache", "wait"})


def own_frame(stack: Stack) -> Frame | None:
    """The innermost frame of the user's own code: the line that called whatever ran."""
    for frame in reversed(stack):
        if frame.category == APP:
            return frame
    return None


def same_line(a: Frame | None, b: Frame | None) -> bool:
    """Whether two frames are one source line."""
    return a is not None and b is not None and (a.file, a.line) == (b.file, b.line)


def is_blamed(record: Record, kind: str, where: Frame | None) -> bool:
    """Whether an insight of that kind already names this line."""
    return any(found.kind == kind and same_line(found.where, where) for found in record.insights)


def duration(ns: float) -> str:
    """``310 ms``, ``4.2 s``, ``0.6 ms``."""
    ms = ns / MS
    if ms >= 9_950:
        return f"{ms / 1000:.0f} s"
    if ms >= 995:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.0f} ms" if ms >= 9.95 else f"{ms:.1f} ms"


def percent(share: float) -> str:
    """``88 %``."""
    return f"{min(share, 1) * 100:.0f} %"


def outside_spans(record: Record) -> Callable[[int, int], bool]:
    """Tells whether a sample (offset, weight) lies where no named span was open."""
    begins: list[int] = []
    ends: list[int] = []
    for begin, end in sorted(
        (span.offset_ns, span.offset_ns + span.duration_ns) for span in record.spans if span.kind in _NAMED
    ):
        if begins and begin <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            begins.append(begin)
            ends.append(end)

    def outside(offset: int, weight: int) -> bool:
        middle = offset - weight // 2
        at = bisect_right(begins, middle) - 1
        return at < 0 or middle >= ends[at]

    return outside


class Together(NamedTuple):
    """Spans of one kind that belong together."""

    spans: list[SpanRecord]

    @property
    def own_ns(self) -> int:
        """Their own time."""
        return sum(span.self_ns for span in self.spans)

    @property
    def where(self) -> Frame | None:
        """The line that opened the longest of them."""
        return max(self.spans, key=lambda span: span.duration_ns).where


def alike(record: Record, kind: str, key: Callable[[SpanRecord], object]) -> Iterator[Together]:
    """The spans of a kind, grouped by a key and the line that opened them; the costliest group first."""
    groups: dict[object, Together] = {}
    for span in record.spans:
        if span.kind == kind:
            place = (span.where.file, span.where.line) if span.where else None
            groups.setdefault((key(span), place), Together([])).spans.append(span)
    yield from sorted(groups.values(), key=lambda group: -group.own_ns)


def enough(record: Record, slow_ns: int, limits: Thresholds) -> int:
    """How much time makes a transaction slow: `slow_ns`, or less where that is most of one that was slow."""
    if not record.slow:
        return slow_ns
    return min(slow_ns, max(limits.bottleneck_time, int(limits.bottleneck * record.duration_ns)))
