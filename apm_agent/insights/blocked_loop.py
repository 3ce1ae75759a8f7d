"""A line of an async view that kept the event loop to itself while every other request waited."""

from __future__ import annotations

from apm_agent.insights.evidence import MS, duration, own_frame, same_line
from apm_agent.model.insight import Insight
from apm_agent.model.profile import WAITING, Frame, Stack
from apm_agent.model.record import Record, SampleRecord
from apm_agent.model.threshold import DEFAULTS, Thresholds

#: Looks farther apart than this are not one stay.
_GAP_NS = 5 * MS
_MOST = 2
#: Below these a stack is that of an event loop's thread, or of a worker thread, which may block as it likes.
#: The servers' files are for uvloop, which has no frames of its own.
_LOOPS = (
    "asyncio/base_events.py", "asyncio/events.py", "asyncio/runners.py", "uvloop/",
    "uvicorn/server.py", "uvicorn/_compat.py", "hypercorn/asyncio/",
)  # fmt: skip
_WORKERS = ("concurrent/futures/thread.py", "anyio/_backends/", "asgiref/", "threading.py")


def blocked_loop(record: Record, limits: Thresholds = DEFAULTS) -> list[Insight]:
    """One own line that stayed at least `blocked_loop` on the loop's thread without giving it back."""
    stays: dict[tuple[str, int], list[int]] = {}
    places: dict[tuple[str, int], Frame] = {}
    awaits = any(sample.state == WAITING for sample in record.samples)
    for where, ns, stack in _stays(record.samples):
        if ns >= limits.blocked_loop and _on_loop(stack, awaits):
            line = (where.file, where.line)
            stays.setdefault(line, []).append(ns)
            places[line] = where
    found = []
    for line, blocked in sorted(stays.items(), key=lambda item: -sum(item[1])):
        cost = min(sum(blocked), record.duration_ns)
        text = f"blocks the event loop {duration(cost)}{_victims(record)}"
        found.append(Insight("blocked_loop", text, cost, len(blocked), places[line]))
    return found[:_MOST]


def _victims(record: Record) -> str:
    """How many waited for it meanwhile, and how long together, as far as that is certain."""
    blocking = record.blocking
    if blocking is None or not blocking.ns:
        return ""
    others = "1 other waits" if blocking.victims == 1 else f"{blocking.victims} others wait"
    return f", {others} {duration(blocking.ns)}"


def _stays(samples: list[SampleRecord]) -> list[tuple[Frame, int, Stack]]:
    """Looks in a row that found one own line at work: the line, how long, a stack of it."""
    found: list[tuple[Frame, int, Stack]] = []
    reached = -(2**62)
    for sample in samples:
        where = own_frame(sample.stack) if sample.state != WAITING else None
        follows = sample.offset_ns - sample.weight_ns <= reached + _GAP_NS
        if where is None:
            reached = -(2**62)
            continue
        if follows and found and same_line(found[-1][0], where):
            found[-1] = (where, found[-1][1] + sample.weight_ns, sample.stack)
        else:
            found.append((where, sample.weight_ns, sample.stack))
        reached = sample.offset_ns
    return found


def _on_loop(stack: Stack, awaits: bool) -> bool:
    files = [frame.file for frame in stack]
    last_worker = max((at for at, file in enumerate(files) if file.startswith(_WORKERS)), default=-1)
    last_loop = max((at for at, file in enumerate(files) if file.startswith(_LOOPS)), default=-1)
    if last_loop < 0 and last_worker < 0:
        # The stack begins above the loop: then only a task that also waited is known to be on one.
        return awaits
    return last_loop > last_worker
