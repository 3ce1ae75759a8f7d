"""One HTML file with a flame graph in it: nothing is loaded, so it opens from a disk, a mail or a ticket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from apm_agent.exporters.naming import visible
from apm_agent.exporters.tree import Tree
from apm_agent.model.profile import Frame, Profile

_PAGE = Path(__file__).with_name("flame.html")
_PLACE = "{{profile}}"


def export(profile: Profile) -> bytes:
    """The page with the whole profile as JSON inside; no branch is left out."""
    page = _PAGE.read_text("utf-8")
    # Inside a script element only "<" can end it or begin a comment.
    data = json.dumps(_columns(Tree(profile)), separators=(",", ":")).replace("<", "\\u003c")
    return page.replace(_PLACE, data).encode()


def _columns(tree: Tree) -> dict[str, Any]:
    """Frames once, branches as columns, parents first; branch 0 is everything."""
    index: dict[Frame, int] = {}
    numbers = [index.setdefault(frame, len(index)) for frame in tree.frame]
    return {
        "function": [visible(frame.function) or "?" for frame in index],
        "file": [visible(frame.file) for frame in index],
        "line": [frame.line for frame in index],
        "category": [frame.category for frame in index],
        "parent": tree.parent,
        "frame": numbers,
        "own": tree.own,
        "total": tree.total,
    }
