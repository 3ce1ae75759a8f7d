"""A profile of the next few seconds, as each process tells it in a file of its own beside what is in flight.

In the folder `live` beside the store (see `model.live`):

    capture               who it is for and how long it lasts; its time is when it was asked for
    <host>-<pid>.capture  the stacks this process sampled meanwhile, put there whole by a rename each second
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, NamedTuple

from apm_agent.model import live
from apm_agent.model.profile import Frame, Stack

VERSION = 1
#: Seconds: the shortest and longest capture, and how long after its end the last process may still tell.
LEAST, MOST, GRACE = 1.0, 30.0, 2.0
#: Seconds after which what was captured is taken away.
FORGOTTEN = 120.0
#: Distinct stacks a process tells of; the time of the others stands under one name.
MOST_STACKS = 2000
OTHER: Stack = (Frame("(other stacks)", "", 0, "lib", ""),)

_LONGEST_FILE = 16 * 2**20
_FILE = re.compile(r"[A-Za-z0-9._-]{1,100}-[0-9]{1,10}\.capture\Z")
ID = re.compile(r"[0-9a-f]{16}\Z")


class Asked(NamedTuple):
    """A capture that somebody asked for: at `at`, in Unix seconds."""

    id: str
    seconds: float
    at: float


class Seen(NamedTuple):
    """A stack, how long it was seen, and in how many samples."""

    stack: Stack
    ns: int
    samples: int


class Captured(NamedTuple):
    """What one process sampled since the capture began there; `done` once its seconds are over."""

    id: str
    store: str
    service: str
    host: str
    pid: int
    done: bool
    stacks: tuple[Seen, ...]


def asked_of(folder: str) -> str:
    """The file that asks for a capture."""
    return os.path.join(folder, "capture")


def file_of(folder: str, host: str, pid: int) -> str:
    """The file a process tells its capture in."""
    return live.file_of(folder, host, pid).removesuffix(".json") + ".capture"


def is_captured(name: str) -> bool:
    """Whether a file's name is that of a process's capture."""
    return _FILE.match(name) is not None


def to_ask(asked: Asked) -> str:
    """What the asking file says."""
    return json.dumps(asked._asdict())


def read_asked(folder: str) -> Asked | None:
    """The capture that is asked for; None when there is none, or none this version understands."""
    said = live.document(asked_of(folder), 1000)
    try:
        asked = Asked(str(said["id"]), float(said["seconds"]), float(said["at"]))
    except (TypeError, KeyError, ValueError):
        return None
    fits = ID.match(asked.id) and LEAST <= asked.seconds <= MOST and 0 <= asked.at < 1e12
    return asked if fits else None


def to_text(captured: Captured) -> str:
    """The content of a process's file; frames are named once."""
    frames: dict[Frame, int] = {}
    stacks = [
        [[frames.setdefault(frame, len(frames)) for frame in seen.stack], seen.ns, seen.samples]
        for seen in captured.stacks
    ]
    said = {**captured._asdict(), "v": VERSION, "stacks": stacks, "frames": [frame[:4] for frame in frames]}
    return json.dumps(said, separators=(",", ":"))


def read(path: str) -> Captured | None:
    """What a process captured; None when it is gone, no plain file, or nothing this version understands."""
    said = live.document(path, _LONGEST_FILE)
    try:
        if said["v"] != VERSION or not ID.match(said["id"]):
            return None
        frames = [live.frame(row) for row in said["frames"]]
        stacks = [
            Seen(
                tuple(frames[live.whole(at)] for at in stack[-live.MOST_FRAMES :]),
                live.whole(ns),
                live.whole(n),
            )
            for stack, ns, n in said["stacks"][: MOST_STACKS + 1]
        ]
        text, pid = live.text, live.whole(said["pid"])
        return Captured(
            said["id"], text(said["store"]), text(said["service"]), text(said["host"]), pid, said["done"] is True,
            tuple(stacks),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, IndexError):
        return None


def shortened(stack: Any) -> Stack:
    """The inner end of a stack: what is told of it."""
    return tuple(stack[-live.MOST_FRAMES :])
