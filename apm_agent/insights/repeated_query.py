"""The same statement again and again from one line: the N+1 queries of every object mapper."""

from __future__ import annotations

from apm_agent.insights.evidence import alike
from apm_agent.model.insight import Insight
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds

_MOST = 3


def repeated_query(record: Record, limits: Thresholds = DEFAULTS) -> list[Insight]:
    """At least `repeated_query` runs of one statement from one line, or fewer that took long together."""
    many, few, few_ns = limits.repeated_query, limits.repeated_query_few, limits.repeated_query_time
    if record.queries < min(few, many) or (record.queries < many and record.times.get("db", 0) < few_ns):
        return []
    found = []
    for group in alike(record, "db", lambda span: span.statement):
        count, cost, statement = len(group.spans), group.own_ns, group.spans[0].statement
        if statement and (count >= many or (count >= few and cost >= few_ns)):
            # Run side by side they may add up to more than there was.
            cost = min(cost, record.duration_ns)
            text = f"{count} identical queries"
            found.append(Insight("repeated_query", text, cost, count, group.where, statement))
    return found[:_MOST]
