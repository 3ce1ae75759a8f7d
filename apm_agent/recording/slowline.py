"""One line for a slow transaction, printed while it is still news to whoever watches the terminal."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from apm_agent.model.insight import Insight
from apm_agent.model.record import Record
from apm_agent.model.statement import summary
from apm_agent.model.transaction import TIMED_KINDS

#: Set by `apm-agent run`, so that the line can end in a link.
DASHBOARD = "_APM_AGENT_DASHBOARD"
_LONGEST = 300


def line(record: Record, dashboard: str = "") -> str:
    """What was slow and why: ``GET /orders 124 ms · 50× SELECT customer … shop.py:7 (88 %) → link``."""
    parts = [f"{record.name} {record.duration_ns / 1e6:.0f} ms"]
    if record.failure is not None:
        parts.append(record.failure.type)
    cause = max(record.insights, key=lambda found: found.cost_ns, default=None)
    if cause is not None:
        parts.append(_because(cause, record.duration_ns))
    text = _plain(" · ".join(parts))[:_LONGEST]
    return f"{text} → {dashboard}/trace?id={record.id:016x}" if dashboard and record.kept else text


def _because(cause: Insight, duration_ns: int) -> str:
    if cause.kind == "repeated_query" and cause.statement:
        what = f"{cause.count}× {summary(cause.statement)} …"
    else:
        what = cause.text
    place = f" {cause.where.file}:{cause.where.line}" if cause.where else ""
    share = (
        f" ({min(cause.cost_ns / duration_ns, 1):.0%})".replace("%", " %")
        if cause.cost_ns and duration_ns
        else ""
    )
    return what + place + share


def _plain(text: str) -> str:
    # Names come from whoever wrote the route or the job; none of them may move the terminal's cursor.
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class Printer:
    """Called with every record; prints a line to `stream` for each one at least `slow` seconds long."""

    def __init__(self, slow: float = 0.0, stream: TextIO | None = None) -> None:
        self.slow_ns = int(slow * 1e9)
        self.stream = stream
        self.dashboard = os.environ.get(DASHBOARD, "").rstrip("/")

    def __call__(self, record: Record) -> None:
        """Print if it is slow; a closed or broken stream loses the line and nothing else."""
        if record.duration_ns < self.slow_ns or record.kind not in TIMED_KINDS:
            return
        stream = self.stream or sys.stderr
        if stream is None:  # a process without a console
            return
        text = f"apm-agent ▸ {line(record, self.dashboard)}\n"
        encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            # One write, so that lines of several workers do not mix.
            stream.write(text.encode(encoding, "replace").decode(encoding))
            stream.flush()
        except (OSError, ValueError):
            return
