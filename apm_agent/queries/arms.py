"""What is armed, and arming: "measure the next n transactions of this endpoint", for the command line and the API."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import time
from typing import Any

from apm_agent.errors import QuestionError, StoreError
from apm_agent.model import arm as arms
from apm_agent.model.arm import CAPTURES, LINES, Arm, Function
from apm_agent.queries import hot, picked
from apm_agent.queries.connection import Connection
from apm_agent.queries.profile import of_window
from apm_agent.queries.scope import one_endpoint
from apm_agent.queries.window import of_range

_LONGEST_NAME = 200
_MOST_FUNCTIONS = 10


def listed(connection: Connection, endpoint: str = "") -> list[dict[str, Any]]:
    """Every arm that is not expired, or those of one endpoint, the newest first: how much is there, and where."""
    folder = arms.folder_of(connection.path)
    ids, taken = arms.sort(_names(folder))
    said = picked.picked(connection) if ids else {}
    found = [each for each in (arms.read(folder, arm_id) for arm_id in ids) if each is not None]
    return [
        _row(connection, each, taken.get(each.id, 0), said.get(each.id, []))
        for each in sorted(found, key=lambda each: -each.created)
        if each.until > time.time() and endpoint in ("", each.endpoint)
    ]


def arm(  # noqa: PLR0917
    connection: Connection,
    endpoint: str,
    capture: str,
    wanted: int = 1,
    life: float = arms.USUAL_LIFE,
    service: str = "",
) -> dict[str, Any]:
    """Ask every process for the next transactions of an endpoint; answers the row `listed` shows of it."""
    _check(endpoint, capture, wanted, life, service)
    folder = arms.folder_of(connection.path)
    clear(connection)
    ids, _ = arms.sort(_names(folder))
    if len(ids) >= arms.MOST_ARMS:
        raise QuestionError(f"{len(ids)} arms wait already: cancel one first")
    functions = _hottest(connection, endpoint, service) if capture == LINES else ()
    now = time.time()
    made = Arm(secrets.token_hex(8), endpoint, capture, wanted, now, now + life, service, functions)
    _put(folder, made)
    return _row(connection, made, 0, [])


def cancel(connection: Connection, arm_id: str) -> bool:
    """Ask no more; what was measured stays. False when there is no such arm."""
    if not arms.is_id(arm_id):
        raise QuestionError(f"id={arm_id[:40]!r} is not the id of an arm: 16 hex digits")
    folder = arms.folder_of(connection.path)
    there = os.path.exists(arms.file_of(folder, arm_id))
    _remove(folder, arm_id)
    return there


def clear(connection: Connection) -> None:
    """Take away what has expired."""
    folder = arms.folder_of(connection.path)
    for arm_id in arms.sort(_names(folder))[0]:
        each = arms.read(folder, arm_id)
        if each is not None and each.until <= time.time():
            _remove(folder, arm_id)


def _check(endpoint: str, capture: str, wanted: int, life: float, service: str) -> None:
    if not endpoint or len(endpoint) > _LONGEST_NAME or len(service) > _LONGEST_NAME:
        raise QuestionError(f"endpoint={endpoint[:60]!r} is not the name of an endpoint, like 'GET /orders'")
    if capture not in CAPTURES:
        raise QuestionError(f"capture={capture[:40]!r} is not one of {', '.join(CAPTURES)}")
    if not 1 <= wanted <= arms.MOST_TRANSACTIONS:
        raise QuestionError(f"count={wanted} is not a whole number from 1 to {arms.MOST_TRANSACTIONS}")
    if not (math.isfinite(life) and 1 <= life <= arms.LONGEST_LIFE):
        raise QuestionError(f"seconds={life} is not a time from 1 to {arms.LONGEST_LIFE:.0f} seconds")


def _hottest(connection: Connection, endpoint: str, service: str) -> tuple[Function, ...]:
    """The functions of own code that answer for most time of an endpoint in the last day, as sampled."""
    found = one_endpoint(connection, endpoint, service=service)
    profiled = of_window(connection, of_range("24h"), [found.id]) if found is not None else None
    weights: dict[tuple[str, str], int] = {}
    lines: dict[tuple[str, str], int] = {}
    for line in hot.lines(profiled) if profiled is not None else ():
        if line.frame.category == "app" and line.frame.path:
            key = (line.frame.path, line.frame.function)
            weights[key] = weights.get(key, 0) + line.answers_ns + line.own_ns
            lines.setdefault(key, line.frame.line)
    ranked = sorted(weights, key=lambda key: -weights[key])[:_MOST_FUNCTIONS]
    if not ranked:
        raise QuestionError(
            f"no function of your own code was sampled in {endpoint!r} in the last 24 h, so there is nothing to time "
            "by line: call it, wait for a sample, and arm again; or decorate a function with apm_agent.profile_lines"
        )
    return tuple(Function(path, name, lines[path, name]) for path, name in ranked)


def _put(folder: str, made: Arm) -> None:
    """The file, whole from the first moment, and readable by whoever owns the store, also when root arms."""
    path = arms.file_of(folder, made.id)
    try:
        owner = os.stat(os.path.dirname(folder))
        os.makedirs(folder, mode=0o700, exist_ok=True)
        descriptor = os.open(f"{path}.new", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(arms.to_text(made))
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            for each in (folder, f"{path}.new"):
                os.chown(each, owner.st_uid, owner.st_gid)
        os.rename(f"{path}.new", path)
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}. Arm as the user the application runs as"
        ) from error


def _remove(folder: str, arm_id: str) -> None:
    for path in arms.paths_of(folder, arm_id):
        with contextlib.suppress(OSError):
            os.unlink(path)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _row(connection: Connection, each: Arm, taken: int, processes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": each.id,
        "endpoint": each.endpoint,
        "service": each.service or None,
        "capture": each.capture,
        "count": each.wanted,
        "done": min(taken, each.wanted),
        "state": "done" if taken >= each.wanted else "armed",
        "created": each.created,
        "until": each.until,
        "functions": [
            {"file": os.path.basename(path), "function": name, "line": line}
            for path, name, line in each.functions
        ],
        "unmeasured": picked.unmeasured(processes),
        "workers": processes,
        "unheard": picked.unheard(connection, each.service, each.endpoint, each.created),
    }
