"""Who wrote a line of own code, asked of git on a click: only files that are shown anyway, and no shell."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
from typing import Any

from apm_agent.model.profile import Frame
from apm_agent.queries.connection import Connection
from apm_agent.queries.source import Sources, lines_of

_SECONDS = 3.0
_MOST_BYTES = 2 * 2**20
_LONGEST = 200
#: Lines between what is alike at a file's begin and end; to compare more takes too long.
_MOST_LINES = 3000
_MOST_PATHS = 8

#: What git needs of our environment; nothing named GIT_ may lead it elsewhere.
_KEPT = ("PATH", "HOME", "XDG_CONFIG_HOME", "USERPROFILE", "SYSTEMROOT", "TEMP", "TMP")
_SET = {
    "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
}  # fmt: skip
#: Nothing that a repository's own settings name is started, and nothing is fetched.
_SAFE = (
    "--no-pager", "-c", "core.fsmonitor=false", "-c", "protocol.allow=never", "-c", "core.hooksPath=/dev/null",
)  # fmt: skip

#: What git says → what that means here.
_MEANINGS = (
    (re.compile(r"not a git repository|must be run in a work tree", re.IGNORECASE), "{file} is in no git repository"),
    (re.compile(r"dubious ownership|safe\.directory"),
     "git refuses: the repository of {file} belongs to another user; cure: git config --global safe.directory"),
    (re.compile(r"exists on disk, but not in|does not exist in|invalid object name|no such path|bad revision"),
     "{file} is not committed yet"),
)  # fmt: skip


class _NoBlameError(Exception):
    """There is nothing to tell; the text says why."""


def blame(connection: Connection, sources: Sources, file: str, line: int) -> dict[str, Any]:
    """``blame``: commit, author, date and subject of a line as it was committed last; else ``why_none``."""
    answer: dict[str, Any] = {"file": file, "line": line, "blame": None, "why_none": None}
    try:
        answer["blame"] = _told(*_found(connection, sources, file, line), file)
    except _NoBlameError as why:
        answer["why_none"] = str(why)
    return answer


def _found(connection: Connection, sources: Sources, file: str, line: int) -> tuple[str, list[str], int]:
    """The real path of a file that the store names so, its lines and the line asked for."""
    rows = connection.rows(
        "SELECT path, max(day) FROM frames WHERE file = ? AND category = 'app' GROUP BY path"
        f" ORDER BY 2 DESC LIMIT {_MOST_PATHS}",
        (file,),
    )
    changed = False
    for path, _ in rows:
        frame = Frame("", file, line, "app", path)
        found = sources.file(frame)
        if found is not None and 0 < line <= len(found[1]):
            return (*found, line)
        changed = changed or sources.line(frame).changed
    if changed:
        raise _NoBlameError(f"{file} has changed since this ran: its lines are others now")
    raise _NoBlameError(f"line {line} of {file} cannot be read below the app's root from here")


def _told(path: str, lines: list[str], line: int, file: str) -> dict[str, Any]:
    """Blame of what is committed: a work tree's filters, which would be programs, are never asked."""
    folder, name = os.path.split(path)
    git = _Git(folder, file)
    size = git.ask("cat-file", "-s", f"HEAD:./{name}").strip()
    if not size.isdigit() or int(size) > _MOST_BYTES:
        raise _NoBlameError(f"{file} is too long as it is committed")
    committed = lines_of(git.ask("cat-file", "blob", f"HEAD:./{name}"))
    number = _committed_as(lines, committed, line)
    if number is None:
        raise _NoBlameError(f"line {line} of {file} is not committed yet")
    said = git.ask("blame", "--porcelain", "--no-textconv", f"-L{number},{number}", "HEAD", "--", name)
    told = _parsed(said.decode("utf-8", "replace").split("\n"))
    # The first commit of all is such an end too, but nothing is older.
    if told["boundary"] and git.ask("rev-parse", "--is-shallow-repository").strip() != b"true":
        told["boundary"] = False
    return told


def _committed_as(lines: list[str], committed: list[str], line: int) -> int | None:
    """The number that a line has in what is committed; None where it is not in it."""
    at, shorter = line - 1, min(len(lines), len(committed))
    before = next((i for i in range(shorter) if lines[i] != committed[i]), shorter)
    if at < before:
        return line
    rest = shorter - before
    after = next((i for i in range(rest) if lines[-1 - i] != committed[-1 - i]), rest)
    if at >= len(lines) - after:
        return line + len(committed) - len(lines)
    ours, theirs = lines[before : len(lines) - after], committed[before : len(committed) - after]
    if max(len(ours), len(theirs)) > _MOST_LINES:
        raise _NoBlameError("too much of the file is not committed yet to find the line in what is")
    for one, other, length in difflib.SequenceMatcher(None, ours, theirs).get_matching_blocks():
        if one <= at - before < one + length:
            return before + other + (at - before - one) + 1
    return None


def _parsed(said: list[str]) -> dict[str, Any]:
    """git's porcelain: the commit first, then a line a fact until the line's own text."""
    facts: dict[str, str] = {}
    for text in said[1:]:
        if text.startswith("\t"):
            break
        name, _, value = text.partition(" ")
        facts.setdefault(name, value)
    at = facts.get("author-time", "")
    return {
        "commit": said[0].partition(" ")[0][:12],
        "author": facts.get("author", "")[:_LONGEST],
        "at": int(at) if at.isdigit() and len(at) < 12 else None,
        "subject": facts.get("summary", "")[:_LONGEST],
        # A shallow clone ends there: the line is of this commit or of an older one.
        "boundary": "boundary" in facts,
    }


class _Git:
    """git in one folder, for a few seconds."""

    def __init__(self, folder: str, file: str) -> None:
        found = shutil.which("git")
        if found is None:
            raise _NoBlameError("there is no git on this machine")
        self._command = (os.path.abspath(found), *_SAFE)
        self._folder, self._file = folder, file

    def ask(self, *arguments: str) -> bytes:
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        try:
            done = subprocess.run(
                (*self._command, *arguments), cwd=self._folder, env={**environment, **_SET},
                stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise _NoBlameError(f"git took longer than {_SECONDS:g} s") from None
        except (OSError, ValueError) as error:
            raise _NoBlameError(f"git could not be started: {error}") from None
        if done.returncode:
            raise _NoBlameError(self._meant(done.stderr.decode("utf-8", "replace")))
        return done.stdout

    def _meant(self, said: str) -> str:
        for pattern, meaning in _MEANINGS:
            if pattern.search(said):
                return meaning.format(file=self._file)
        return f"git failed: {said.strip().partition(chr(10))[0][:_LONGEST] or 'without a word'}"
