"""Another service that kept the transaction waiting."""

from __future__ import annotations

from apm_agent.insights.evidence import alike, duration, enough, is_blamed
from apm_agent.model.insight import Insight
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds

_MOST = 3


def slow_upstream(record: Record, limits: Thresholds = DEFAULTS) -> list[Insight]:
    """Calls of one host from one line that took at least `slow_upstream`, or most of a slow transaction."""
    least = enough(record, limits.slow_upstream, limits)
    if record.times.get("http", 0) < least:
        return []
    found = []
    for group in alike(record, "http", lambda span: _host(span.name)):
        cost, where = min(group.own_ns, record.duration_ns), group.where
        if cost >= least and not is_blamed(record, "blocked_loop", where):
            text = f"waits {duration(cost)} for {_host(group.spans[0].name)}"
            found.append(Insight("slow_upstream", text, cost, len(group.spans), where))
    return found[:_MOST]


def _host(name: str) -> str:
    """The host in a span's name, which is ``GET api.example.com``."""
    return name.rsplit(" ", 1)[-1]
