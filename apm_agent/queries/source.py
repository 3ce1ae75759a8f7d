"""Lines of the user's own source, read when a page asks and only if they are still what ran."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from typing import Any, NamedTuple

from apm_agent.model.profile import Frame

#: Files that may be shown: code and templates. A settings file of another kind never is.
_ENDINGS = (".py", ".pyi", ".pyx", ".html", ".htm", ".jinja", ".jinja2", ".j2", ".mako")
_MOST_BYTES = 2 * 2**20
_MOST_FILES = 30
_LONGEST_LINE = 300
_MOST_LINES = 40
_DEF = re.compile(r"\s*(async\s+def|def|class)\s")


#: Python's lines end so, and no others: a form feed is part of its line, whatever `str.splitlines` says.
_ENDS = re.compile(r"\r\n|\r|\n")


class Line(NamedTuple):
    """The text of a line, None where it cannot be shown; `changed` when the file is newer than what ran.

    `edited`: it is newer than some of what ran, so times of before may stand beside other lines.
    """

    text: str | None
    changed: bool
    edited: bool = False


class _File(NamedTuple):
    lines: list[str] | None = None
    changed: bool = False
    edited: bool = False
    real: str = ""


class Sources:
    """Reads below the folders that processes named as their application's, for one answer.

    Which file to read is told by the store, never by a question; links out of the folder are not followed.
    """

    def __init__(self, roots: Iterable[str], ran_at: float, first_at: float | None = None) -> None:
        """`ran_at` is when the newest of what is shown ran, `first_at` the oldest, where it is not the same."""
        self._roots = tuple({os.path.join(os.path.realpath(root), "") for root in roots if _is_folder(root)})
        self._ran_at = ran_at
        self._first_at = ran_at if first_at is None else first_at
        self._files: dict[str, _File] = {}

    def line(self, frame: Frame) -> Line:
        """One line of a frame."""
        file = self._read(frame)
        if file.lines is None or not 0 < frame.line <= len(file.lines):
            return Line(None, file.changed)
        return Line(file.lines[frame.line - 1].strip()[:_LONGEST_LINE], False, file.edited)

    def told(self, frame: Frame) -> dict[str, Any]:
        """A line as the API writes it beside its place."""
        line = self.line(frame)
        return {"source": line.text, "changed": line.changed}

    def block(self, frame: Frame) -> list[tuple[int, str]]:
        """(number, text) of the function around a frame's line, at most 40 lines about it."""
        lines = self._read(frame).lines
        if lines is None or not 0 < frame.line <= len(lines):
            return []
        first, last = _bounds(lines, frame.line - 1)
        if last - first > _MOST_LINES:
            first = max(first, frame.line - 1 - _MOST_LINES // 2)
            last = min(last, first + _MOST_LINES)
        return [(number + 1, lines[number][:_LONGEST_LINE]) for number in range(first, last)]

    def text(self, frame: Frame) -> str | None:
        """The whole file of a frame of Python, while it is what ran; None where it cannot be shown."""
        lines = self._read(frame).lines
        return "\n".join(lines) + "\n" if lines is not None and frame.path.endswith(".py") else None

    def file(self, frame: Frame) -> tuple[str, list[str]] | None:
        """The real path of a frame's file and its lines, while it is what ran."""
        file = self._read(frame)
        return None if file.lines is None else (file.real, file.lines)

    def _read(self, frame: Frame) -> _File:
        if frame.category != "app" or not frame.path:
            return _File()
        known = self._files.get(frame.path)
        if known is None:
            if len(self._files) >= _MOST_FILES:
                return _File()
            known = self._files[frame.path] = self._load(frame.path)
        return known

    def _load(self, path: str) -> _File:
        if "\x00" in path or not path.endswith(_ENDINGS):
            return _File()
        real = os.path.realpath(path)
        if not real.startswith(self._roots) or not real.endswith(_ENDINGS):
            return _File()
        try:
            with open(real, "rb", opener=_at_once) as file:
                about = os.fstat(file.fileno())
                if not stat.S_ISREG(about.st_mode) or about.st_size > _MOST_BYTES:
                    return _File()
                if about.st_mtime > self._ran_at:
                    return _File(changed=True)
                data = file.read(_MOST_BYTES)
        except (OSError, ValueError):  # a path no system can have is a ValueError
            return _File()
        if b"\x00" in data:  # not text, whatever its name says
            return _File()
        lines = lines_of(data)
        return _File(lines, False, about.st_mtime > self._first_at, real)


def lines_of(data: bytes) -> list[str]:
    """The lines of a file as Python counts them."""
    lines = _ENDS.split(data.decode("utf-8", "replace"))
    return lines[:-1] if lines[-1] == "" else lines


def _at_once(path: str, flags: int) -> int:
    """Open without waiting: a named pipe without a writer would hold us for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def roots_of(processes: Iterable[tuple[Any, ...]]) -> list[str]:
    """The application folders in rows of (app_root,)."""
    return [row[0] for row in processes if row[0]]


def _is_folder(root: str) -> bool:
    """A folder that can be an application's: absolute, there, and not the whole disk."""
    return (
        "\x00" not in root
        and os.path.isabs(root)
        and os.path.realpath(root) != os.sep
        and os.path.isdir(root)
    )


def _bounds(lines: list[str], at: int) -> tuple[int, int]:
    """First and past-the-last index of the function around a line, by its indentation."""
    depth = _indent(lines[at])
    first = at
    for number in range(at, -1, -1):
        text = lines[number]
        if not text.strip():
            continue
        if _DEF.match(text) and (_indent(text) < depth or number == at):
            first = number
            break
        if _indent(text) == 0 and number != at:
            break
        depth = min(depth, _indent(text))
    else:
        first = at
    if not _DEF.match(lines[first]):
        return max(0, at - 6), min(len(lines), at + 7)
    outer = _indent(lines[first])
    last = first + 1
    while last < len(lines) and (not lines[last].strip() or _indent(lines[last]) > outer or last <= at):
        last += 1
    while last > at + 1 and not lines[last - 1].strip():
        last -= 1
    while first > 0 and lines[first - 1].strip().startswith("@") and _indent(lines[first - 1]) == outer:
        first -= 1
    return first, last


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
