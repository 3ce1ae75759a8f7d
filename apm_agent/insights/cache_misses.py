"""A cache that is asked again and again for what it does not have."""

from __future__ import annotations

from apm_agent.insights.evidence import Together, alike
from apm_agent.model.insight import Insight
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds

_MOST = 2


def cache_misses(record: Record, limits: Thresholds = DEFAULTS) -> list[Insight]:
    """At least `cache_misses` misses from one line, and that share of what was asked for there.

    The cost is that of the reads that missed something. What was computed or fetched instead is not in it: it has
    insights of its own.
    """
    least = limits.cache_misses
    if sum(_count(span.tags, "misses") for span in record.spans if span.kind == "cache") < least:
        return []
    found = []
    for group in alike(record, "cache", lambda span: None):
        missed, asked = _counted(group)
        if missed >= least and missed >= limits.cache_misses_share * asked:
            cost = sum(span.self_ns for span in group.spans if _count(span.tags, "misses"))
            text = f"{missed} of {asked} reads miss the cache"
            found.append(Insight("cache_misses", text, min(cost, record.duration_ns), missed, group.where))
    return found[:_MOST]


def _counted(group: Together) -> tuple[int, int]:
    """Misses, and of how many values."""
    missed = sum(_count(span.tags, "misses") for span in group.spans)
    return missed, missed + sum(_count(span.tags, "hits") for span in group.spans)


def _count(tags: dict[str, object] | None, name: str) -> int:
    count = tags.get(name) if tags else None
    return count if isinstance(count, int) and count > 0 else 0
