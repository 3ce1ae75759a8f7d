"""Records with no more in them than what a rule of insights is to find, and all rules asked about one."""

from __future__ import annotations

from typing import Any

from apm_agent.insights import INSIGHTS
from apm_agent.model.profile import RUNNING, Frame
from apm_agent.model.record import Record, SampleRecord, SpanRecord
from records import STATEMENT, VIEW, record

MS = 10**6


def span(kind: str, ms: float, name: str = "SELECT customer", at: float = 0, **fields: Any) -> SpanRecord:
    """One of kind `db` has a statement; `own` is its own time in ns, where that is not all of it."""
    made: dict[str, Any] = {
        "parent": None,
        "kind": kind,
        "name": name,
        "offset_ns": int(at * MS),
        "duration_ns": int(ms * MS),
        "self_ns": fields.pop("own", int(ms * MS)),
        "statement": STATEMENT if kind == "db" else None,
        "where": VIEW,
        "tags": None,
        "open": False,
    }
    return SpanRecord(**{**made, **fields})


def samples(
    *stack: Frame, count: int = 10, ms: int = 10, at: int = 0, state: int = RUNNING
) -> list[SampleRecord]:
    return [SampleRecord((at + (n + 1) * ms) * MS, ms * MS, stack, state) for n in range(count)]


def plain(ms: float = 100, **fields: Any) -> Record:
    times: dict[str, int] = {}
    for each in fields.get("spans", ()):
        times[each.kind] = min(int(ms * MS), times.get(each.kind, 0) + each.self_ns)
    bare: dict[str, Any] = {"spans": [], "samples": [], "insights": [], "cpu_ns": None, "rss_before": None}
    return record(**{"duration_ns": int(ms * MS), "times": times, **bare, **fields})


def judged(of: Record) -> list[str]:
    for rule in INSIGHTS:
        found = rule(of)
        of.insights += found if isinstance(found, list) else [found] if found else []
    return [each.kind for each in of.insights]
