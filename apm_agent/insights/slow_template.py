"""A template that takes long to render, without the queries it sets off."""

from __future__ import annotations

from apm_agent.insights.evidence import alike, duration, enough
from apm_agent.model.insight import Insight
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds

_MOST = 2


def slow_template(record: Record, limits: Thresholds = DEFAULTS) -> list[Insight]:
    """A template whose own time is at least `slow_template`, or most of a slow transaction."""
    least = enough(record, limits.slow_template, limits)
    if record.times.get("template", 0) < least:
        return []
    found = []
    for group in alike(record, "template", lambda span: span.name):
        cost = min(group.own_ns, record.duration_ns)
        if cost >= least:
            text = f"template {group.spans[0].name} takes {duration(cost)}"
            found.append(Insight("slow_template", text, cost, len(group.spans), group.where))
    return found[:_MOST]
