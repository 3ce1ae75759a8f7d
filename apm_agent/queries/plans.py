"""Plans that were asked for, each beside the one before it: did the release change how the database goes about it?"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

from apm_agent.queries.connection import Connection, Row

#: The schema that has them.
_SCHEMA = 3
_MOST = 20


def kept(connection: Connection, statement: int) -> list[dict[str, Any]]:
    """Plans of a statement, the newest first; `before` says what differs from an earlier one of the same database."""
    if connection.schema() < _SCHEMA:
        return []
    rows = connection.rows(
        "SELECT id, release, database, at, server, steps, note FROM plans WHERE statement_id = ?"
        " ORDER BY at DESC, id DESC LIMIT ?",
        (statement, _MOST),
    )
    made = [plan for plan in (told(row) for row in rows) if plan is not None]
    for at, plan in enumerate(made):
        earlier = _earlier(plan, made[at + 1 :])
        plan["before"] = compared(earlier, plan) if earlier else None
    return made


def _earlier(plan: dict[str, Any], older: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What a plan is held against: asking again in one release must not hide what the release changed."""
    same = [each for each in older if each["database"] == plan["database"]]
    told_apart = (each for each in same if each["release"] != plan["release"] or _lines(each) != _lines(plan))
    return next(told_apart, same[0] if same else None)


def fresh(asked: Sequence[Any], plan: Sequence[Any]) -> dict[str, Any] | None:
    """A plan that could not be kept: what was asked (statement, release, database, time) and what was answered."""
    steps, server, note = plan
    found = told((0, *asked[1:], server, json.dumps([list(step) for step in steps]), note))
    return None if found is None else {**found, "before": None}


def compared(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """What is gone and what is new in a plan; guesses of rows and cost move always and change nothing."""
    old, new = _lines(earlier), _lines(later)
    moves = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return {
        "release": earlier["release"],
        "at": earlier["at"],
        "changed": old != new,
        "gone": [line.strip() for kind, a, b, _, _ in moves if kind != "equal" for line in old[a:b]],
        "new": [line.strip() for kind, _, _, a, b in moves if kind != "equal" for line in new[a:b]],
    }


def _lines(plan: dict[str, Any]) -> list[str]:
    return [
        f"{'  ' * step['depth']}{step['text']}"
        + (f" ({'; '.join(step['details'])})" if step["details"] else "")
        for step in plan["steps"]
    ]


def told(row: Row) -> dict[str, Any] | None:
    """A row of the table as the API writes it; None for one that is damaged."""
    number, release, database, at, server, steps, note = row
    try:
        found = [
            {"depth": depth, "text": text, "details": details, "rows": guess, "cost": cost, "scan": scan}
            for depth, text, details, guess, cost, scan in json.loads(steps)
        ]
    except (ValueError, TypeError):
        return None
    return {
        "id": str(number),
        "release": release or None,
        "database": database,
        "at": at / 1e9,
        "server": server,
        "steps": found,
        "note": note,
    }
