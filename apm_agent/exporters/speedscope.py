"""Speedscope's own JSON (https://www.speedscope.app/file-format-schema.json): weights in nanoseconds."""

from __future__ import annotations

import json

from apm_agent.model.profile import Frame, Profile

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def export(profile: Profile) -> bytes:
    """One *sampled* profile: each distinct stack is a sample that weighs all its time."""
    index: dict[Frame, int] = {}
    samples = [[index.setdefault(frame, len(index)) for frame in stack] for stack in profile]
    weights = list(profile.values())
    document = {
        "$schema": _SCHEMA,
        "exporter": "apm-agent",
        "name": "apm-agent",
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(frame) for frame in index]},
        "profiles": [
            {
                "type": "sampled",
                "name": "all samples",
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": sum(weights),
                "samples": samples,
                "weights": weights,
            }
        ],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _frame(frame: Frame) -> dict[str, object]:
    made: dict[str, object] = {"name": frame.function}
    if frame.file:
        made["file"] = frame.file
    if frame.line > 0:
        made["line"] = frame.line
    return made
