"""Makes records of what a transaction waited for, and of who held its event loop meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from apm_agent.model.blocking import Blocked, Culprit
from apm_agent.model.origin import APP
from apm_agent.model.profile import WAITING, Frame, Stack, StackKey, Wait
from apm_agent.model.record import BlockedRecord, BlockingRecord, SampleRecord

_MOST_ROWS = 20
#: The name of what is no transaction's work: a callback, a task of the application's own.
NOBODY = "(no transaction)"
OTHERS = "(others)"

_Resolve = Callable[[StackKey], Stack]


def with_waits(
    samples: list[SampleRecord], waits: list[Wait], start: int, duration: int, resolve: _Resolve
) -> list[SampleRecord]:
    """Samples and waits in the order of time; a wait is never worth more than what nothing else took."""
    excess = sum(s.weight_ns for s in samples) + sum(w.weight_ns for w in waits) - duration
    made = list(samples)
    for wait in waits:
        cut = min(max(excess, 0), wait.weight_ns)
        excess -= cut
        if wait.weight_ns > cut:
            made.append(SampleRecord(wait.at_ns - start, wait.weight_ns - cut, resolve(wait.stack), WAITING))
    return sorted(made, key=lambda sample: sample.offset_ns)


def blocked_by(rows: list[Blocked], resolve: _Resolve) -> list[BlockedRecord]:
    """Who held the loop where, by culprit and line of own code; those first that held it longest."""
    sums: dict[tuple[Culprit, Frame | None], list[int]] = {}
    for row in rows:
        cell = sums.setdefault((row.culprit, _own(resolve(row.stack))), [0, 0])
        cell[0] += row.ns
        cell[1] += row.maybe_ns
    made = [
        BlockedRecord(culprit.name or NOBODY, culprit.record_id, where, ns, maybe)
        for (culprit, where), (ns, maybe) in sums.items()
        if ns or maybe
    ]
    made.sort(key=lambda each: -each.ns - each.maybe_ns)
    rest = made[_MOST_ROWS:]
    if rest:
        sum_ns, sum_maybe = sum(each.ns for each in rest), sum(each.maybe_ns for each in rest)
        made = [*made[:_MOST_ROWS], BlockedRecord(OTHERS, None, None, sum_ns, sum_maybe)]
    return made


def blocking(culprit: Culprit, record_id: int) -> BlockingRecord | None:
    """Who waited for it; tells those not written yet which record it became."""
    culprit.record_id = record_id
    if not culprit.victims:
        return None
    return BlockingRecord(len(culprit.victims), culprit.waited_ns, culprit.maybe_ns)


def _own(stack: Stack) -> Frame | None:
    own = next((frame for frame in reversed(stack) if frame.category == APP), None)
    return own or (stack[-1] if stack else None)
