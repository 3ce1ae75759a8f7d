"""An arm: "measure the next n transactions of this endpoint", as the file that carries it to every process.

Both wings read and write these files, in the folder `arms` beside the store, and nothing else passes between them:

    <id>.json   the arm itself (0600), put there whole by a rename
    <id>.<k>    slot k of the n is taken: made with O_EXCL, so that no two processes take one
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, NamedTuple

CPROFILE, LINES, MEMORY = "cprofile", "lines", "memory"
#: What can be asked for of a transaction, and what it is called for people.
CAPTURES = {CPROFILE: "cProfile", LINES: "line timings", MEMORY: "tracemalloc and object growth"}

VERSION = 1
MOST_TRANSACTIONS = 100
MOST_ARMS = 50
#: Seconds: what an arm lives unless said otherwise, and at most.
USUAL_LIFE, LONGEST_LIFE = 600.0, 86_400.0
_MOST_FUNCTIONS = 50
_LONGEST_TEXT = 500
_LONGEST_FILE = 64_000
_ID = re.compile(r"[0-9a-f]{16}\Z")
_FILE = re.compile(r"([0-9a-f]{16})\.(json|[0-9]{1,3})\Z")


class Function(NamedTuple):
    """A function to time by line: its file as the process knows it, its name, and one of its lines."""

    path: str
    name: str
    line: int


class Arm(NamedTuple):
    """`service` empty: of any service that writes to this store. Times are Unix seconds."""

    id: str
    endpoint: str
    capture: str
    #: how many transactions
    wanted: int
    created: float
    until: float
    service: str = ""
    #: what line timings are taken of: the hottest functions of own code, as the sampler saw them
    functions: tuple[Function, ...] = ()


def folder_of(store_path: str) -> str:
    """Where the arms of a store lie, from the path of its file."""
    return os.path.join(os.path.dirname(os.path.abspath(store_path)), "arms")


def file_of(folder: str, arm_id: str) -> str:
    """The file that is the arm."""
    return os.path.join(folder, f"{arm_id}.json")


def slot_of(folder: str, arm_id: str, number: int) -> str:
    """The file that says: this one of those wanted is taken."""
    return os.path.join(folder, f"{arm_id}.{number}")


def paths_of(folder: str, arm_id: str, count: int = MOST_TRANSACTIONS) -> list[str]:
    """All files an arm may have: itself first, so that a slot is never free of an arm that is being taken away."""
    return [file_of(folder, arm_id), *(slot_of(folder, arm_id, number) for number in range(count))]


def is_id(text: str) -> bool:
    """Whether a text can be the id of an arm, and so the beginning of a file's name."""
    return _ID.match(text) is not None


def sort(names: list[str]) -> tuple[list[str], dict[str, int]]:
    """Of the names in the folder: the arms' ids, and how many slots of each id are taken."""
    ids: list[str] = []
    taken: dict[str, int] = {}
    for name in names:
        match = _FILE.match(name)
        if match is None:
            continue
        if match[2] == "json":
            ids.append(match[1])
        else:
            taken[match[1]] = taken.get(match[1], 0) + 1
    return sorted(ids), taken


def to_text(arm: Arm) -> str:
    """The content of its file."""
    return json.dumps({"v": VERSION, **arm._asdict()})


def read(folder: str, arm_id: str) -> Arm | None:
    """The arm of an id; None when it is gone, not ours to read, or nothing this version understands."""
    try:
        with open(file_of(folder, arm_id), encoding="utf-8") as file:
            return _parse(arm_id, json.loads(file.read(_LONGEST_FILE)))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _parse(arm_id: str, said: Any) -> Arm:
    arm = Arm(
        id=arm_id,
        endpoint=_text(said["endpoint"]),
        capture=_text(said["capture"]),
        wanted=int(said["wanted"]),
        created=float(said["created"]),
        until=float(said["until"]),
        service=_text(said["service"]),
        functions=tuple(
            Function(_text(path), _text(name), int(line))
            for path, name, line in said["functions"][:_MOST_FUNCTIONS]
        ),
    )
    if said["v"] != VERSION or arm.capture not in CAPTURES or not 1 <= arm.wanted <= MOST_TRANSACTIONS:
        raise ValueError(said)
    if not 0 <= arm.until - arm.created <= LONGEST_LIFE:
        raise ValueError(said)
    return arm


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise ValueError(value)
    return value
