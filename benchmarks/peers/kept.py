"""What was measured before, so that one peer can be measured again without all others."""

from __future__ import annotations

import json

from pairs import Cost, Found
from rooms import ROOMS

_FILE = ROOMS / "measured.json"

Results = dict[tuple[str, str], Found | str]


def load() -> tuple[Results, dict[str, str]]:
    """Results by peer and framework, and versions by peer; empty where nothing was measured."""
    if not _FILE.exists():
        return {}, {}
    said = json.loads(_FILE.read_text("utf-8"))
    results: Results = {}
    for peer, framework, one in said["results"]:
        if isinstance(one, dict) and set(one) != set(Found._fields):
            continue  # measured before something was added: to be measured again
        if isinstance(one, dict):
            views = {view: Cost(*cost) for view, cost in one["views"].items()}
            results[peer, framework] = Found(**{**one, "views": views})
        else:
            results[peer, framework] = one
    return results, said["versions"]


def save(results: Results, versions: dict[str, str]) -> None:
    """Keep them."""
    rows = [
        (peer, framework, one if isinstance(one, str) else one._asdict())
        for (peer, framework), one in results.items()
    ]
    _FILE.write_text(json.dumps({"results": rows, "versions": versions}, indent=1), "utf-8")
