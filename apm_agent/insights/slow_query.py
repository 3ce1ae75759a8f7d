"""A statement that takes long by itself."""

from __future__ import annotations

from apm_agent.insights.evidence import alike, duration, enough
from apm_agent.model.insight import Insight
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds

_MOST = 3


def slow_query(record: Record, limits: Thresholds = DEFAULTS) -> list[Insight]:
    """Runs of at least `slow_query`, or of most of a slow transaction."""
    least = enough(record, limits.slow_query, limits)
    if record.times.get("db", 0) < least:
        return []
    found = []
    for group in alike(record, "db", lambda span: span.statement or span.name):
        slow = [span for span in group.spans if span.self_ns >= least]
        if not slow or _is_repeated(record, slow[0].statement):
            continue
        cost = sum(span.self_ns for span in slow)
        text = f"{slow[0].name} takes {duration(cost / len(slow))}"
        where, statement = slow[0].where, slow[0].statement
        found.append(Insight("slow_query", text, min(cost, record.duration_ns), len(slow), where, statement))
    return found[:_MOST]


def _is_repeated(record: Record, statement: str | None) -> bool:
    return any(i.kind == "repeated_query" and i.statement == statement for i in record.insights)
