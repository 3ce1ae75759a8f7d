"""Folded stacks as flamegraph.pl, inferno and speedscope read them: ``a;b;c 1234``, in nanoseconds."""

from __future__ import annotations

from collections import defaultdict

from apm_agent.exporters.naming import NO_FRAMES, label
from apm_agent.model.profile import Frame, Profile


def export(profile: Profile) -> bytes:
    """A line a distinct stack, outermost frame first; stacks that read alike are one line."""
    lines: dict[str, int] = defaultdict(int)
    for stack, weight in profile.items():
        lines[";".join(map(_name, stack)) or NO_FRAMES] += weight
    return "".join(f"{stack} {weight}\n" for stack, weight in lines.items()).encode()


def _name(frame: Frame) -> str:
    # What separates frames cannot stand in a name, and the format knows no escape.
    return label(frame).replace(";", ":")
