"""Turns what the sampler kept, code objects and instructions, into frames with names and lines, for the writer."""

from __future__ import annotations

from bisect import bisect_right
from types import CodeType

from apm_agent.model.origin import AGENT, Origin
from apm_agent.model.profile import Frame, Stack, StackKey
from apm_agent.model.span import Place

_MOST = 20_000


class _Known:
    """A code object's lines and the frames made of it. Holds code and origin, so that their ids stay true."""

    __slots__ = ("code", "frames", "lines", "origin", "starts")

    def __init__(self, code: CodeType, origin: Origin) -> None:
        self.code = code
        self.origin = origin
        self.starts: list[int] = []
        self.lines: list[int] = []
        self.frames: dict[int, Frame] = {}
        for start, _, line in code.co_lines():
            if line is not None:
                self.starts.append(start)
                self.lines.append(line)

    def line(self, instruction: int) -> int:
        # An instruction without a line of its own belongs to the line before it; -1 to the function as a whole.
        at = bisect_right(self.starts, instruction) - 1
        return self.lines[at] if at >= 0 and instruction >= 0 else self.code.co_firstlineno


# By id, not by the code itself: two code objects are equal when their text is, whatever file they come from.
_known: dict[tuple[int, int], _Known] = {}


def resolve(key: StackKey, origin: Origin) -> Stack:
    """The stack of a key, outermost frame first, without frames of our own package."""
    frames: list[Frame] = []
    for at in range(len(key) - 2, -1, -2):
        code, instruction = key[at], key[at + 1]
        if origin.of(code.co_filename) != AGENT:
            frames.append(_frame(code, instruction, origin))
    return tuple(frames)


def frame_of(place: Place, origin: Origin) -> Frame:
    """The frame of a place: a code object and the instruction in it."""
    return _frame(place[0], place[1], origin)


def _frame(code: CodeType, instruction: int, origin: Origin) -> Frame:
    key = (id(code), id(origin))
    known = _known.get(key)
    if known is None:
        if len(_known) >= _MOST:
            _known.clear()
        known = _known[key] = _Known(code, origin)
    frame = known.frames.get(instruction)
    if frame is None:
        path = code.co_filename
        frame = known.frames[instruction] = Frame(
            getattr(code, "co_qualname", code.co_name),  # with its class from 3.11
            origin.short(path),
            known.line(instruction),
            origin.of(path),
            path,
        )
    return frame
