"""Folded stacks as flamegraph.pl, inferno and speedscope read them: ``a;b;c 1234``, in nanoseconds."""

from __future__ import annotations

from collections import defaultdict

from apm_agent.model.profile import Frame, Profile

#: What separates frames and lines in the format cannot stand in a name.
_SAFE = str.maketrans(
    {";": ":", "\n": " ", "\r": " ", "\x00": " ", "\u2028": " ", "\u2029": " ", "\x85": " "}
)


def export(profile: Profile) -> bytes:
    """A line a distinct stack, outermost frame first; stacks that read alike are one line."""
    lines: dict[str, int] = defaultdict(int)
    for stack, weight in profile.items():
        lines[";".join(map(_name, stack)) or "(no frames)"] += weight
    return "".join(f"{stack} {weight}\n" for stack, weight in lines.items()).encode("utf-8", "replace")


def _name(frame: Frame) -> str:
    place = f" ({frame.file}:{frame.line})" if frame.file else ""
    return f"{frame.function}{place}".translate(_SAFE) or "?"
