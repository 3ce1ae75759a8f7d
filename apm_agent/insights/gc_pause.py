"""Garbage collections that held a transaction up."""

from __future__ import annotations

from apm_agent.insights.evidence import duration, own_frame
from apm_agent.model.insight import Insight
from apm_agent.model.profile import Frame
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds


def gc_pause(record: Record, limits: Thresholds = DEFAULTS) -> Insight | None:
    """Collections that take at least `gc_pause` and `gc_pause_share` of the transaction together."""
    cost = sum(ns for _, ns, _ in record.gc_pauses)
    if cost < limits.gc_pause or cost < limits.gc_pause_share * record.duration_ns:
        return None
    text = f"garbage collection takes {duration(cost)}"
    return Insight("gc_pause", text, min(cost, record.duration_ns), len(record.gc_pauses), _where(record))


def _where(record: Record) -> Frame | None:
    """The own line that was running during the longest collection, if it was looked at then."""
    offset, ns, _ = max(record.gc_pauses, key=lambda pause: pause[1])
    for sample in record.samples:
        if sample.offset_ns - sample.weight_ns <= offset + ns and sample.offset_ns >= offset:
            return own_frame(sample.stack)
    return None
