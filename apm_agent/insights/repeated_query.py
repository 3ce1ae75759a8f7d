"""The same statement again and again from one line: the N+1 queries of every object mapper."""

from __future__ import annotations

from apm_agent.insights.evidence import MS, Together, alike, duration
from apm_agent.model.insight import Insight
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds

_MOST = 3
_LEAST_SAVED_NS = MS
#: (file, function) of a library that asks for what it was not told to fetch before → how that is called.
_PATTERNS = {
    ("django/db/models/fields/related_descriptors.py", "__get__"): "related objects of Django",
    ("django/db/models/fields/related_descriptors.py", "get_object"): "related objects of Django",
    ("sqlalchemy/orm/strategies.py", "_emit_lazyload"): "lazy loads of SQLAlchemy",
}


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
            text = f"{count} identical queries{_saved(group, cost)}{_pattern(group)}"
            found.append(Insight("repeated_query", text, cost, count, group.where, statement))
    return found[:_MOST]


def _saved(group: Together, cost: int) -> str:
    """What one query instead would save at most: a typical run for each but one, of no more than was spent."""
    times = sorted(span.self_ns for span in group.spans)
    # The median; Python's own brings decimals, fractions and random numbers into every process.
    typical = (times[len(times) // 2] + times[(len(times) - 1) // 2]) / 2
    saved = min(cost, int(typical * (len(times) - 1)))
    return f", up to {duration(saved)} less as one" if saved >= _LEAST_SAVED_NS else ""


def _pattern(group: Together) -> str:
    """What asked for them, where the library's own frames say so: of each run, but for the process's first."""
    seen: dict[str, int] = {}
    for span in group.spans:
        if span.via is not None:
            pattern = _PATTERNS.get((span.via.file, span.via.function.rpartition(".")[2]))
            if pattern:
                seen[pattern] = seen.get(pattern, 0) + 1
    return next((f", {name}" for name, times in seen.items() if times >= len(group.spans) - 1), "")
