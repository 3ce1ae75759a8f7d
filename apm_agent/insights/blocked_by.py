"""Another transaction held the event loop while this one was ready to run."""

from __future__ import annotations

from apm_agent.insights.evidence import duration
from apm_agent.model.insight import Insight
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds

_MOST = 2


def blocked_by(record: Record, limits: Thresholds = DEFAULTS) -> list[Insight]:
    """Each culprit that cost this transaction at least `blocked_by`, with the line that held the loop."""
    found = []
    for row in record.blocked:
        if row.ns >= limits.blocked_by:
            text = f"waits {duration(row.ns)} while {row.name} holds the event loop"
            found.append(Insight("blocked_by", text, min(row.ns, record.duration_ns), 1, row.where))
        elif row.ns + row.maybe_ns >= limits.blocked_by:
            cost = row.ns + row.maybe_ns
            text = f"perhaps waits {duration(cost)} while {row.name} holds the event loop"
            found.append(Insight("blocked_by", text, min(cost, record.duration_ns), 1, row.where))
    return found[:_MOST]
