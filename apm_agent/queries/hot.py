"""Which source lines the time of a profile lies in."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple, cast

from apm_agent.model.profile import UNCERTAIN, WAITING, Frame, Stack
from apm_agent.queries.connection import Connection
from apm_agent.queries.memory import Memory
from apm_agent.queries.profile import Profiled, Weighed, of_window
from apm_agent.queries.window import Window


class HotLine(NamedTuple):
    """A line: time with it innermost, time with it anywhere, and time it answers for."""

    frame: Frame
    own_ns: int
    total_ns: int
    answers_ns: int
    """own code: time in which it is the innermost of the user's own lines, what it calls included"""
    cpu_ns: int | None = None
    """processor time with it innermost; None where it is not known of any of that time"""


def lines(profiled: Profiled) -> list[HotLine]:
    """All lines, those first that answer for most time; what only waits, suspended, is not hot."""
    own: dict[Frame, int] = defaultdict(int)
    total: dict[Frame, int] = defaultdict(int)
    answers: dict[Frame, int] = defaultdict(int)
    cpu: dict[Frame, int] = {}
    for weighed in profiled.stacks:
        if weighed.state == WAITING:
            continue
        for frame in set(weighed.stack):
            total[frame] += weighed.weight_ns
        if weighed.stack:
            frame = weighed.stack[-1]
            own[frame] += weighed.weight_ns
            if weighed.clocked_ns:
                cpu[frame] = cpu.get(frame, 0) + weighed.cpu_ns
    for frame, weight in _answering(profiled.stacks).items():
        answers[frame] += weight
    found = [
        HotLine(frame, own[frame], weight, answers[frame], cpu.get(frame)) for frame, weight in total.items()
    ]
    hot = [line for line in found if line.own_ns or line.answers_ns]
    return sorted(hot, key=lambda line: (-max(line.own_ns, line.answers_ns), -line.total_ns, line.frame))


def hottest(profiled: Profiled) -> tuple[Frame, float] | None:
    """The line of the user's own code that answers for most time, and its share."""
    answering = _answering(profiled.stacks)
    all_time = profiled.total_ns
    if not answering or not all_time:
        return None
    frame = max(answering, key=lambda each: (answering[each], each))
    return frame, answering[frame] / all_time


_memory = Memory(500)
_UNKNOWN = object()


def hottest_of(
    connection: Connection, window: Window, endpoint: int, releases: tuple[int, ...] | None
) -> tuple[Frame, float] | None:
    """`hottest` of one endpoint, remembered the longer the more samples speak for it."""
    length = (window.start, window.end) if window.range is None else window.range
    key = (connection.path, connection.identity, endpoint, releases, length)
    known = _memory.get(key, _UNKNOWN)
    if known is not _UNKNOWN:
        return cast("tuple[Frame, float] | None", known)
    profiled = of_window(connection, window, [endpoint], releases)
    found = hottest(profiled)
    _memory.put(key, found, min(60.0, 1.0 + profiled.samples / 100))
    return found


def _answering(stacks: list[Weighed]) -> dict[Frame, int]:
    """Time by the innermost line of own code.

    Of an uncertain sample only the function is known: its time is spread over that function's lines as the
    certain samples lie in them.
    """
    certain: dict[Frame, int] = defaultdict(int)
    by_function: dict[tuple[str, str], dict[Frame, int]] = defaultdict(lambda: defaultdict(int))
    unsure: list[tuple[Frame, int]] = []
    for weighed in stacks:
        frame = _innermost_own(weighed.stack)
        if frame is None or weighed.state == WAITING:
            continue
        if weighed.state == UNCERTAIN and frame is weighed.stack[-1]:
            unsure.append((frame, weighed.weight_ns))
        else:
            certain[frame] += weighed.weight_ns
            by_function[frame.path, frame.function][frame] += weighed.weight_ns
    for frame, weight in unsure:
        siblings = by_function.get((frame.path, frame.function))
        known = sum(siblings.values()) if siblings else 0
        if not siblings or not known:
            certain[frame] += weight
            continue
        for sibling, share in siblings.items():
            certain[sibling] += weight * share // known
    return certain


def _innermost_own(stack: Stack) -> Frame | None:
    return next((frame for frame in reversed(stack) if frame.category == "app"), None)
