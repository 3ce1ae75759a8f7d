"""A query that brought more rows than a page can use."""

from __future__ import annotations

import re

from apm_agent.insights.evidence import alike, outside_spans, own_frame, same_line
from apm_agent.model.insight import Insight
from apm_agent.model.profile import WAITING, Frame
from apm_agent.model.record import Record, SpanRecord
from apm_agent.model.threshold import DEFAULTS, Thresholds

_MOST = 2
#: A statement that reads; the rows of any other are those it changed.
_READS = re.compile(r"\s*\(?\s*(?:SELECT|WITH|VALUES|TABLE)\b", re.IGNORECASE)
_LOCKS = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b", re.IGNORECASE)
_CHANGES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)


def big_result(record: Record, limits: Thresholds = DEFAULTS) -> list[Insight]:
    """One run of a statement that returned at least `big_result` rows, as far as its driver says how many.

    The cost is the query's own time and what was sampled on its line outside of any span: making objects of rows.
    """
    least = limits.big_result
    if not any(_said(span) >= least for span in record.spans):
        return []
    found = []
    for group in alike(record, "db", lambda span: span.statement):
        big = [span for span in group.spans if _said(span) >= least and _reads(span)]
        if big:
            most = max(map(_said, big))
            cost = sum(span.self_ns for span in big) + _on_line(record, group.where)
            text = f"{big[0].name} returns {most:,} rows"
            cost, where = min(cost, record.duration_ns), group.where
            found.append(Insight("big_result", text, cost, len(big), where, big[0].statement))
    return sorted(found, key=lambda insight: -insight.cost_ns)[:_MOST]


def _said(span: SpanRecord) -> int:
    """The rows its driver told of."""
    rows = span.tags.get("rows") if span.tags else None
    return rows if isinstance(rows, int) else 0


def _reads(span: SpanRecord) -> bool:
    if span.statement is None or not _READS.match(span.statement):
        return False
    # WITH … INSERT changes; FOR UPDATE only locks what it returns.
    return not _CHANGES.search(_LOCKS.sub("", span.statement))


def _on_line(record: Record, where: Frame | None) -> int:
    if where is None:
        return 0
    outside = outside_spans(record)
    return sum(
        sample.weight_ns
        for sample in record.samples
        if sample.state != WAITING
        and same_line(own_frame(sample.stack), where)
        and outside(sample.offset_ns, sample.weight_ns)
    )
