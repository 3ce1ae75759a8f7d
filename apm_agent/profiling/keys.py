"""The key of a stack: all of it that can be afforded while the application stands still."""

from __future__ import annotations

from types import FrameType

from apm_agent.model.profile import StackKey

DEEPEST = 400


def key_of(frame: FrameType | None) -> StackKey:
    """Code and instruction of each frame, innermost first."""
    parts: list[object] = []
    add = parts.append
    while frame is not None and len(parts) < 2 * DEEPEST:
        add(frame.f_code)
        add(frame.f_lasti)
        frame = frame.f_back
    return tuple(parts)
