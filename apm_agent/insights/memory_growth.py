"""Memory that stayed after a transaction that had the process to itself."""

from __future__ import annotations

from apm_agent.insights.evidence import own_frame
from apm_agent.model.insight import Insight
from apm_agent.model.profile import WAITING, Frame
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds


def memory_growth(record: Record, limits: Thresholds = DEFAULTS) -> Insight | None:
    """At least `memory_growth` more resident memory than before, while nothing else ran.

    One transaction may only have warmed something up: that an endpoint grows is said from many of them.
    """
    kept = record.rss_kept
    if kept is None or kept < limits.memory_growth:
        return None
    text = f"keeps {kept / 2**20:.1f} MB"
    return Insight("memory_growth", text, 0, 1, _where(record), cost_bytes=kept)


def _where(record: Record) -> Frame | None:
    """The own line most often found at work: resident memory itself has no line."""
    times: dict[Frame, int] = {}
    for sample in record.samples:
        where = own_frame(sample.stack) if sample.state != WAITING else None
        if where is not None:
            times[where] = times.get(where, 0) + sample.weight_ns
    return max(times, key=lambda frame: times[frame]) if times else None
