"""What each process has made of what is armed: taken up, measured, or not, and why."""

from __future__ import annotations

import json
import time
from typing import Any

from apm_agent.queries.connection import Connection

_KEPT = "kept"
_MOST_PROCESSES = 64
#: Seconds: a process that was not heard of for so long before an arm was made is not waited for.
_LATELY = 600.0


def picked(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Arm → the processes that said something of it, the one heard of last first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for host, pid, service, seen, state in connection.rows(
        "SELECT host, pid, service, last_seen, state FROM processes WHERE state LIKE '%\"armed\":[{%'"
        " ORDER BY last_seen DESC LIMIT ?",
        (_MOST_PROCESSES,),
    ):
        for arm_id, live, counts in _said(state):
            found.setdefault(arm_id, []).append(
                {
                    "host": host,
                    "pid": pid,
                    "service": service,
                    "last_seen": seen / 1e9,
                    "live": live,
                    "kept": counts.pop(_KEPT, 0),
                    "unmeasured": counts,
                }
            )
    return found


def unmeasured(processes: list[dict[str, Any]]) -> dict[str, int]:
    """Why transactions of an arm went unmeasured, over all processes."""
    told: dict[str, int] = {}
    for each in processes:
        for why, count in each["unmeasured"].items():
            told[why] = told.get(why, 0) + count
    return told


def unheard(connection: Connection, service: str, endpoint: str, created: float) -> int:
    """How many processes were heard of shortly before an arm was made, and not since: they have no traffic.

    Of one service where it is named, else of those that serve the endpoint.
    """
    row = connection.row(
        "SELECT count(*) FROM processes WHERE last_seen >= ? AND last_seen < ? AND"
        " CASE WHEN ? <> '' THEN service = ? ELSE service IN (SELECT service FROM endpoints WHERE name = ?) END",
        (
            int((min(created, time.time()) - _LATELY) * 1e9),
            int(created * 1e9),
            service,
            service,
            endpoint,
        ),
    )
    return int(row[0]) if row else 0


def _said(state: str) -> list[tuple[str, bool, dict[str, int]]]:
    """(arm, it is taken up, counts) as a process wrote it; what cannot be read says nothing."""
    try:
        return [
            (
                str(each["id"]),
                bool(each.get("live")),
                {str(why): int(count) for why, count in each["counts"].items()},
            )
            for each in json.loads(state)["armed"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
