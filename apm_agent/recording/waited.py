"""Makes records of where a transaction was seen, what it waited for, and who held its event loop meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from apm_agent.model.blocking import Blocked, Culprit
from apm_agent.model.origin import APP
from apm_agent.model.profile import WAITING, Frame, Stack, StackKey
from apm_agent.model.record import BlockedRecord, BlockingRecord, Record, SampleRecord
from apm_agent.model.transaction import Transaction

_MOST_ROWS = 20
#: The name of what is no transaction's work: a callback, a task of the application's own.
NOBODY = "(no transaction)"
OTHERS = "(others)"

_Resolve = Callable[[StackKey], Stack]


def sampled(record: Record, transaction: Transaction, resolve: _Resolve) -> None:
    """Fill in samples and waits in the order of time, which together are worth no more than the time there was.

    Of transactions shorter than the time between two looks most are never seen, and the one look at another stands
    for them too. What it is worth beyond its own transaction counts where many are summed up.
    """
    start, duration = transaction.start_ns, record.duration_ns
    made = [
        SampleRecord(s.at_ns - start, s.weight_ns, resolve(s.stack), s.state, s.cpu_ns)
        for s in transaction.samples
    ]
    # What is suspended uses no processor.
    waits = [
        SampleRecord(w.at_ns - start, w.weight_ns, resolve(w.stack), WAITING, 0) for w in transaction.waits
    ]
    every = made + waits
    if len(every) == 1 and every[0].weight_ns > duration:
        record.beyond_ns = every[0].weight_ns - duration
    if made and made[0].weight_ns > duration:
        weight, cpu = made[0].weight_ns, made[0].cpu_ns
        within = None if cpu is None else cpu * duration // weight
        if record.beyond_ns:
            record.beyond_cpu_ns = (cpu or 0) - (within or 0)
        made[0] = made[0]._replace(weight_ns=duration, cpu_ns=within)
    excess = sum(sample.weight_ns for sample in made) + sum(wait.weight_ns for wait in waits) - duration
    for wait in waits:
        cut = min(max(excess, 0), wait.weight_ns)
        excess -= cut
        if wait.weight_ns > cut:
            made.append(wait._replace(weight_ns=wait.weight_ns - cut))
    record.samples = sorted(made, key=lambda sample: sample.offset_ns) if waits else made


def summed(
    record: Record,
    weights: dict[tuple[StackKey, int], int],
    clocked: dict[tuple[StackKey, int], list[int]],
    resolve: _Resolve,
) -> None:
    """Fill in the samples past the limit, and what is known of their processor time."""
    for (key, state), ns in weights.items():
        place = (resolve(key), state)
        record.weights[place] = record.weights.get(place, 0) + ns
        spent = clocked.get((key, state))
        # What is suspended uses no processor.
        cpu, known = (0, ns) if state == WAITING else spent or (0, 0)
        if known:
            cell = record.clocked.setdefault(place, [0, 0])
            cell[0] += cpu
            cell[1] += known


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
