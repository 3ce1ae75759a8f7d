"""Rules that look at a record and name what made it slow; a file each, run in the writer's thread.

A rule is a function: a record in; an insight, several or none out. They run in this order, and each sees in
`record.insights` what those before it found, so that no time is blamed twice. From when on they tell is a setting:
`model.threshold` declares it, and the same names stand in docs/insights.md.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

from apm_agent.insights.big_result import big_result
from apm_agent.insights.blocked_by import blocked_by
from apm_agent.insights.blocked_loop import blocked_loop
from apm_agent.insights.cache_misses import cache_misses
from apm_agent.insights.connection_wait import connection_wait
from apm_agent.insights.gc_pause import gc_pause
from apm_agent.insights.hot_line import hot_line
from apm_agent.insights.memory_growth import memory_growth
from apm_agent.insights.repeated_query import repeated_query
from apm_agent.insights.sequential_calls import sequential_calls
from apm_agent.insights.slow_query import slow_query
from apm_agent.insights.slow_template import slow_template
from apm_agent.insights.slow_upstream import slow_upstream
from apm_agent.model.insight import Insight
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds

Found = Insight | list[Insight] | None


class Rule(Protocol):
    """A record and the thresholds in; what was found out."""

    __name__: str

    def __call__(self, record: Record, limits: Thresholds = DEFAULTS) -> Found: ...


INSIGHTS: tuple[Rule, ...] = (
    repeated_query,
    slow_query,
    big_result,
    connection_wait,
    blocked_loop,
    blocked_by,
    sequential_calls,
    slow_upstream,
    cache_misses,
    slow_template,
    hot_line,
    gc_pause,
    memory_growth,
)


def rules(limits: Thresholds) -> tuple[partial[Found], ...]:
    """All of them, with these thresholds."""
    return tuple(partial(rule, limits=limits) for rule in INSIGHTS)
