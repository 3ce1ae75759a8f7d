"""A pool of connections that had none to give when one was asked for."""

from __future__ import annotations

from apm_agent.insights.evidence import alike, duration, enough
from apm_agent.model.insight import Insight
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds

#: What the instruments of pools call their spans of kind `wait`; connecting lies below it, as a span of its own.
_POOL = "connection pool"
_MOST = 2


def connection_wait(record: Record, limits: Thresholds = DEFAULTS) -> list[Insight]:
    """Waits from one line of at least `connection_wait`, or most of a slow transaction."""
    least = enough(record, limits.connection_wait, limits)
    if record.times.get("wait", 0) < least:
        return []
    found = []
    for group in alike(record, "wait", lambda span: span.name == _POOL):
        cost = min(group.own_ns, record.duration_ns)
        if group.spans[0].name == _POOL and cost >= least:
            text = f"waits {duration(cost)} for a connection from the pool"
            vain = sum(1 for span in group.spans if span.tags and "error" in span.tags)
            if vain:
                text += ", in vain" if vain == len(group.spans) else f", {vain} times in vain"
            found.append(Insight("connection_wait", text, cost, len(group.spans), group.where))
    return found[:_MOST]
