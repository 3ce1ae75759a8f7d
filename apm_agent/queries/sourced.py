"""Blocks of own source around the hottest lines of a profile, with the time of each line."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from apm_agent.model.profile import Frame
from apm_agent.queries import hot
from apm_agent.queries.profile import Profiled
from apm_agent.queries.source import Sources
from apm_agent.queries.units import millis

_MOST_BLOCKS = 3
#: A line that answers for less than this share of the time is not worth its source.
_LEAST = 0.01


def blocks(profiled: Profiled, sources: Sources) -> list[dict[str, Any]]:
    """At most three functions of own code, only of files that are what ran."""
    lines = [line for line in hot.lines(profiled) if line.frame.category == "app"]
    own: dict[tuple[str, int], int] = defaultdict(int)
    total: dict[tuple[str, int], int] = defaultdict(int)
    for line in lines:
        own[line.frame.path, line.frame.line] += line.own_ns
        total[line.frame.path, line.frame.line] += line.total_ns
    made: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    least = profiled.total_ns * _LEAST
    for line in lines:
        function = (line.frame.path, line.frame.function)
        if len(made) == _MOST_BLOCKS or max(line.own_ns, line.answers_ns) < least:
            break
        if function not in seen:
            seen.add(function)
            made += _block(line.frame, sources, own, total)
    return made


def _block(
    frame: Frame, sources: Sources, own: dict[tuple[str, int], int], total: dict[tuple[str, int], int]
) -> list[dict[str, Any]]:
    text = sources.block(frame)
    if not text:
        return []
    return [
        {
            "file": frame.file,
            "function": frame.function,
            "edited": sources.line(frame).edited,
            "lines": [
                {
                    "number": number,
                    "text": line,
                    "own_ms": millis(own.get((frame.path, number), 0)),
                    "total_ms": millis(total.get((frame.path, number), 0)),
                }
                for number, line in text
            ],
        }
    ]
