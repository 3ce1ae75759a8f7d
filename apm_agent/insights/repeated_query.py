"""The same statement again and again from one line: the N+1 queries of every object mapper."""

from __future__ import annotations

from apm_agent.insights.evidence import MS, alike
from apm_agent.model.insight import Insight
from apm_agent.model.record import Record

_MANY, _SOME, _SOME_NS = 20, 5, 50 * MS
_MOST = 3


def repeated_query(record: Record) -> list[Insight]:
    """At least 20 runs of one statement from one line, or at least 5 that took 50 ms together."""
    if record.queries < _SOME or (record.queries < _MANY and record.times.get("db", 0) < _SOME_NS):
        return []
    found = []
    for group in alike(record, "db", lambda span: span.statement):
        count, cost, statement = len(group.spans), group.own_ns, group.spans[0].statement
        if statement and (count >= _MANY or (count >= _SOME and cost >= _SOME_NS)):
            # Run side by side they may add up to more than there was.
            cost = min(cost, record.duration_ns)
            text = f"{count} identical queries"
            found.append(Insight("repeated_query", text, cost, count, group.where, statement))
    return found[:_MOST]
