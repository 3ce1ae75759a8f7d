"""Masks an answer and cuts it to a size an assistant can read: what is left out is counted."""

from __future__ import annotations

import json
from typing import Any

from apm_agent.model import scrub

#: Characters of an answer.
MOST = 16_000
#: Rows of a list and characters of a text that are tried, until the answer is small enough.
_STEPS = ((40, 1000), (20, 500), (10, 300), (5, 200), (3, 120), (1, 80), (0, 40))

#: Curves and grids are for eyes.
_FOR_EYES = frozenset(
    {"spark", "series", "heatmap", "histogram", "samples", "frames", "flame", "profile_url", "sizes_kb"}
)
#: Texts that others wrote: scrubbed when they were stored, and once more by the rules of here and now.
_FOREIGN = frozenset({"message", "path", "note", "error"})


def masked(value: Any, show_context: bool = False, key: str = "", inside: str = "") -> Any:
    """The answer without what is for eyes alone; context values are told as their keys."""
    if isinstance(value, dict):
        if key == "context" and not show_context:
            return dict.fromkeys(value, scrub.MASK)
        return {
            name: masked(each, show_context, name, key or inside)
            for name, each in value.items()
            if name not in _FOR_EYES
        }
    if isinstance(value, list):
        return [masked(each, show_context, "", key or inside) for each in value]
    # Not statements: their literals were taken out when they were stored, and what is still quoted are names.
    if isinstance(value, str) and (key in _FOREIGN or (key == "text" and inside == "log")):
        return scrub.scrub_text(value)
    return value


def small(answer: dict[str, Any]) -> str:
    """The answer as JSON of at most `MOST` characters; `left_out` says how many rows of which lists are not there."""
    text = ""
    for rows, characters in _STEPS:
        left_out: dict[str, int] = {}
        cut = _cut(answer, rows, characters, "", left_out)
        if left_out:
            cut["left_out"] = left_out
        text = json.dumps(cut, ensure_ascii=False, separators=(",", ":"))
        if len(text) <= MOST:
            return text
    return json.dumps({"too_large": f"{len(text)} characters; ask for less with limit or a narrower range"})


def _cut(value: Any, rows: int, characters: int, path: str, left_out: dict[str, int]) -> Any:
    if isinstance(value, dict):
        return {
            name: _cut(each, rows, characters, f"{path}.{name}" if path else name, left_out)
            for name, each in value.items()
        }
    if isinstance(value, list):
        if len(value) > rows:
            left_out[path] = left_out.get(path, 0) + len(value) - rows
        return [_cut(each, rows, characters, path, left_out) for each in value[:rows]]
    if isinstance(value, str) and len(value) > characters:
        return value[:characters] + "…"
    return value
