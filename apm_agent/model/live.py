"""What is in flight in one process, as the file that tells whoever asks for it.

Both wings read and write these files, in the folder `live` beside the store, and nothing else passes between them:

    asked              touched by whoever asks; its time is when. What it says is until when, for people
    <host>-<pid>.json  what a process has in flight, put there whole by a rename each second while it is asked for
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Sequence
from typing import Any, NamedTuple

from apm_agent.model.profile import Frame, Stack

VERSION = 1
#: Seconds: how long one asking lasts, how often a process looks and answers, and after which an answer is no more
#: believed: its process has ended, or nothing is in flight there.
ASKED_FOR, EACH, STALE = 5.0, 1.0, 3.0
#: Seconds after which the file of a process that ended is taken away.
FORGOTTEN = 60.0

RUNNING, WAITING = "running", "waiting"
#: Kinds of open spans that say what a transaction does better than its stack.
TELLING = ("db", "http", "template", "cache", "wait")
STATES = (RUNNING, WAITING, *TELLING)

MOST_FRAMES = 100
MOST_FLIGHTS = 200
MOST_PLACES = 20
MOST_FUNCTIONS = 500
_LONGEST_TEXT = 500
_LONGEST_FILE = 8 * 2**20
_FILE = re.compile(r"[A-Za-z0-9._-]{1,100}-[0-9]{1,10}\.json\Z")


class Place(NamedTuple):
    """A stack that works for a transaction, outermost frame first; `cut` frames outside of it are left out."""

    thread: str
    task: str
    state: str
    stack: Stack
    cut: int = 0


class OpenSpan(NamedTuple):
    """The innermost span that has not ended."""

    kind: str
    name: str
    age_ns: int


class Flight(NamedTuple):
    """A transaction that has not ended. `name` is empty until the application has answered who answers."""

    id: str
    kind: str
    name: str
    method: str
    path: str
    age_ns: int
    state: str
    span: OpenSpan | None
    places: tuple[Place, ...]


class Function(NamedTuple):
    """Time sampled since the asking began, with the function innermost and with it anywhere."""

    function: str
    file: str
    category: str
    own_ns: int
    total_ns: int


class Told(NamedTuple):
    """What one process tells. `written` and `since` (when the asking began there) are Unix seconds."""

    store: str
    service: str
    host: str
    pid: int
    written: float
    since: float
    #: nanoseconds of sampled work since then, all functions together
    sampled_ns: int
    #: processor time that telling all this has taken since then
    cost_ns: int
    flights: tuple[Flight, ...]
    #: how many more are in flight
    more: int = 0
    functions: tuple[Function, ...] = ()


def folder_of(store_path: str) -> str:
    """Where the processes that write to a store tell, from the path of its file."""
    return os.path.join(os.path.dirname(os.path.abspath(store_path)), "live")


def asked_of(folder: str) -> str:
    """The file whose time is when somebody asked last."""
    return os.path.join(folder, "asked")


def file_of(folder: str, host: str, pid: int) -> str:
    """The file a process tells in."""
    return os.path.join(folder, f"{re.sub(r'[^A-Za-z0-9._-]', '_', host)[:100] or 'host'}-{pid}.json")


def is_asked(asked_at: float, now: float) -> bool:
    """Whether an asking at `asked_at` still stands; one far in the future is a stepped clock and does not."""
    return abs(now - asked_at) < ASKED_FOR


def is_told(name: str) -> bool:
    """Whether a file's name is that of a process that tells."""
    return _FILE.match(name) is not None


def trouble_with(folder: str) -> str:
    """Why what is in flight must not be told in this folder; empty when it may."""
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode):
        return f"{folder} is no folder of its own"
    if hasattr(os, "geteuid") and found.st_uid not in (os.geteuid(), 0):
        return f"{folder} belongs to another user"
    if os.name == "posix" and found.st_mode & 0o022:
        return f"{folder} can be written by other users"
    return ""


def to_text(told: Told) -> str:
    """The content of a process's file; frames are named once."""
    frames: dict[Frame, int] = {}

    def placed(place: Place) -> list[Any]:
        stack = [frames.setdefault(frame, len(frames)) for frame in place.stack]
        return [place.thread, place.task, place.state, stack, place.cut]

    flights = [[*flight[:-1], [placed(place) for place in flight.places]] for flight in told.flights]
    said = {**told._asdict(), "v": VERSION, "flights": flights, "frames": [frame[:4] for frame in frames]}
    return json.dumps(said, separators=(",", ":"))


def read(path: str) -> Told | None:
    """What a process tells; None when it is gone, no plain file, or nothing this version understands."""
    said = document(path, _LONGEST_FILE)
    try:
        return None if said is None else _told(said)
    except (ValueError, TypeError, KeyError, IndexError):
        return None


def document(path: str, longest: int) -> Any:
    """The JSON of a plain file; None when it is gone, is no plain file, or holds no JSON."""
    try:
        # By an opener, because a descriptor handed to `open` stays open where it is of a folder.
        with open(path, encoding="utf-8", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            return json.loads(file.read(longest))
    except (OSError, ValueError, RecursionError):
        return None


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _told(said: dict[str, Any]) -> Told:
    if said["v"] != VERSION:
        raise ValueError("written by another version")
    frames = [frame(row) for row in said["frames"]]
    return Told(
        store=text(said["store"]),
        service=text(said["service"]),
        host=text(said["host"]),
        pid=whole(said["pid"]),
        written=_number(said["written"]),
        since=_number(said["since"]),
        sampled_ns=whole(said["sampled_ns"]),
        cost_ns=whole(said["cost_ns"]),
        flights=tuple(_flight(row, frames) for row in said["flights"][:MOST_FLIGHTS]),
        more=whole(said["more"]),
        functions=tuple(
            Function(text(function), text(file), text(category), whole(own), whole(total))
            for function, file, category, own, total in said["functions"][: 2 * MOST_FUNCTIONS]
        ),
    )


def _flight(row: Sequence[Any], frames: list[Frame]) -> Flight:
    number, kind, name, method, path, age, state, span, places = row
    return Flight(
        text(number), text(kind), text(name), text(method), text(path), whole(age), _state(state),
        None if span is None else OpenSpan(text(span[0]), text(span[1]), whole(span[2])),
        tuple(_place(place, frames) for place in places[:MOST_PLACES]),
    )  # fmt: skip


def _place(row: Sequence[Any], frames: list[Frame]) -> Place:
    thread, task, state, stack, cut = row
    named = tuple(frames[whole(at)] for at in stack[-MOST_FRAMES:])
    return Place(text(thread), text(task), _state(state), named, whole(cut))


def frame(row: Sequence[Any]) -> Frame:
    """A frame as it is told; refuses what is none."""
    function, file, line, category = row
    return Frame(text(function), text(file), whole(line), text(category))


def text(value: Any) -> str:
    """A text that may be shown; refuses what is none."""
    if not isinstance(value, str):
        raise ValueError(value)
    # A lone surrogate is no text that anybody could be shown.
    return value[:_LONGEST_TEXT].encode("utf-8", "replace").decode()


def _state(value: Any) -> str:
    if value not in STATES:
        raise ValueError(value)
    return str(value)


def whole(value: Any) -> int:
    """A whole number from 0; refuses what is none."""
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(value)
    return value


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value < 1e12:  # also refuses NaN
        raise ValueError(value)
    return float(value)
