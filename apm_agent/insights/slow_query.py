"""A statement that takes long, in one run or in the runs of one line together."""

from __future__ import annotations

from apm_agent.insights.evidence import alike, duration, enough, percent
from apm_agent.model.insight import Insight
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds

_MOST = 3


def slow_query(record: Record, limits: Thresholds = DEFAULTS) -> list[Insight]:
    """Runs of at least `slow_query`, or of most of a slow transaction; or shorter ones that reach it together."""
    least = enough(record, limits.slow_query, limits)
    if record.times.get("db", 0) < least:
        return []
    found = []
    for group in alike(record, "db", lambda span: span.statement or span.name):
        if group.own_ns < least or _is_repeated(record, group.spans[0].statement):
            continue
        slow = [span for span in group.spans if span.self_ns >= least]
        told = slow or group.spans
        cost, name = sum(span.self_ns for span in told), told[0].name
        takes = duration(cost / len(slow)) if slow else f"{duration(cost)} in {len(told)} runs"
        cost = min(cost, record.duration_ns)
        share = cost / max(1, record.duration_ns)
        most = f", {percent(share)} of the time" if share >= limits.bottleneck else ""
        text, statement = f"{name} takes {takes}{most}", told[0].statement
        found.append(Insight("slow_query", text, cost, len(told), told[0].where, statement))
    return found[:_MOST]


def _is_repeated(record: Record, statement: str | None) -> bool:
    return any(i.kind == "repeated_query" and i.statement == statement for i in record.insights)
