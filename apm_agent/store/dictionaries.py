"""Texts that recur are stored once: frames, stacks, statements, endpoints, releases, processes by number."""

from __future__ import annotations

import sqlite3
import struct
from dataclasses import fields, replace
from hashlib import blake2b
from typing import Any

from apm_agent.model.profile import Frame, Stack
from apm_agent.model.record import Process
from apm_agent.store.many import insert

Row = tuple[Any, ...]
OTHER = "(other)"
_OTHER_FRAME = Frame(OTHER, "", 0, "lib")
_OTHER_STACK: Stack = (_OTHER_FRAME,)
#: What one process may add in a day; beyond, what is new shares one entry: hostile names cannot grow us.
_MOST_STACKS, _MOST_STATEMENTS, _MOST_FRAMES = 20_000, 10_000, 50_000
#: What the file may hold, over all processes.
_MOST_ENDPOINTS = 5_000
_LONGEST_STATEMENT = 10_000
_LONGEST_NAME, _LONGEST_PATH = 200, 4_000

_UPSERTS = {
    # An entry in use is marked with the day, and prune leaves those alone.
    "frames": "INSERT INTO frames (id, function, file, line, category, path, day) VALUES (?,?,?,?,?,?,?) "
    "ON CONFLICT (id) DO UPDATE SET path = excluded.path, day = excluded.day",
    "statements": "INSERT INTO statements (id, text, day) VALUES (?,?,?) "
    "ON CONFLICT (id) DO UPDATE SET day = excluded.day",
    "stacks": "INSERT INTO stacks (id, frames, day) VALUES (?,?,?) "
    "ON CONFLICT (id) DO UPDATE SET day = excluded.day",
}


def hash_id(content: bytes) -> int:
    """63 bits of a content's hash, the same on every machine; never 0, which means none."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little") >> 1 or 1


class Dictionaries:
    """Numbers for texts, as this process knows them to be in the file.

    Hashed ids need no look-up, so a batch is encoded before the write lock is taken. `waiting` holds the rows
    the file may lack; they become known when the batch is committed.
    """

    def __init__(self, process: Process) -> None:
        self.process = _legible(process)
        self.forget()

    def forget(self) -> None:
        """Know nothing of the file: it is new, or it may be another one."""
        self._known: dict[str, set[int]] = {name: set() for name in _UPSERTS}
        self._ids: dict[str, dict[Any, int]] = {name: {} for name in _UPSERTS}
        # The digest gives the very same objects again: identity is found faster than a deep tuple is hashed.
        self._seen: dict[int, tuple[Any, int]] = {}
        self._endpoints: dict[tuple[str, str], tuple[int, str | None]] = {}
        self._introduced = (0, 0)
        self._day = 0
        self.rollback()

    def rollback(self) -> None:
        """Nothing of this batch was written."""
        self.waiting: dict[str, dict[int, Row]] = {name: {} for name in _UPSERTS}
        self._fresh_endpoints: dict[tuple[str, str], tuple[int, str | None]] = {}
        self.process_id, self.release_id = self._introduced

    def commit(self) -> None:
        """All of this batch was written."""
        for name, rows in self.waiting.items():
            self._known[name].update(rows)
        self._endpoints.update(self._fresh_endpoints)
        self._introduced = self.process_id, self.release_id
        self.rollback()

    def begin(self, day: int) -> None:
        """Start encoding a batch; on a new day every entry is marked as in use once more."""
        if day != self._day or len(self._seen) > 200_000:
            self._day = day
            self._known = {name: set() for name in _UPSERTS}
            self._ids = {name: {} for name in _UPSERTS}
            self._seen = {}

    def frame(self, frame: Frame | None) -> int:
        """The id of a frame; 0 for none."""
        if frame is None:
            return 0
        seen = self._seen.get(id(frame))
        if seen is not None and seen[0] is frame:
            known = seen[1]
        else:
            ids = self._ids["frames"]
            if len(ids) >= _MOST_FRAMES and frame not in ids and frame is not _OTHER_FRAME:
                return self.frame(_OTHER_FRAME)
            known = ids.get(frame) or ids.setdefault(frame, _frame_id(frame))
            self._seen[id(frame)] = (frame, known)
        if known not in self._known["frames"] and known not in self.waiting["frames"]:
            self.waiting["frames"][known] = (
                known, clean(frame.function, 300), clean(frame.file, 500), frame.line, frame.category,
                clean(frame.path, 1000), self._day,
            )  # fmt: skip
        return known

    def stack(self, stack: Stack) -> int:
        """The id of a stack."""
        seen = self._seen.get(id(stack))
        if seen is not None and seen[0] is stack:
            known = seen[1]
        else:
            ids = self._ids["stacks"]
            if len(ids) >= _MOST_STACKS and stack not in ids and stack is not _OTHER_STACK:
                return self.stack(_OTHER_STACK)
            known = ids.get(stack) or ids.setdefault(stack, hash_id(self._frames_of(stack)))
            self._seen[id(stack)] = (stack, known)
        if known not in self._known["stacks"] and known not in self.waiting["stacks"]:
            self.waiting["stacks"][known] = (known, self._frames_of(stack), self._day)
        return known

    def _frames_of(self, stack: Stack) -> bytes:
        return struct.pack(f"<{len(stack)}q", *[self.frame(frame) for frame in stack])

    def statement(self, text: str | None) -> int:
        """The id of a normalised statement; 0 for none."""
        if not text:
            return 0
        ids = self._ids["statements"]
        known = ids.get(text)
        if known is None:
            if len(ids) >= _MOST_STATEMENTS and text != OTHER:
                return self.statement(OTHER)
            known = ids[text] = hash_id(text.encode("utf-8", "replace"))
        if known not in self._known["statements"]:
            self.waiting["statements"][known] = (known, clean(text, _LONGEST_STATEMENT), self._day)
        return known

    def endpoint(self, connection: sqlite3.Connection, kind: str, name: str, view: str | None) -> int:
        """The id of an endpoint; looked up, or made, inside the batch's own transaction."""
        key = (kind, name)
        known = self._fresh_endpoints.get(key) or self._endpoints.get(key)
        if known is None or (view and known[1] != view):
            known = self._fresh_endpoints[key] = self._find_endpoint(connection, kind, name, view)
        return known[0]

    def _find_endpoint(
        self, connection: sqlite3.Connection, kind: str, name: str, view: str | None
    ) -> tuple[int, str | None]:
        key = (self.process.service, kind, name)
        find = "SELECT id, view FROM endpoints WHERE service = ? AND kind = ? AND name = ?"
        row = connection.execute(find, key).fetchone()
        if row is None:
            held = connection.execute("SELECT count(*) FROM endpoints").fetchone()[0]
            if held >= _MOST_ENDPOINTS and name != OTHER:
                return self._find_endpoint(connection, kind, OTHER, None)
            made = connection.execute(
                "INSERT INTO endpoints (service, kind, name, view) VALUES (?,?,?,?)", (*key, view)
            )
            return int(made.lastrowid or 0), view
        if view and row[1] != view:
            connection.execute("UPDATE endpoints SET view = ? WHERE id = ?", (view, row[0]))
        return int(row[0]), view

    def write(self, connection: sqlite3.Connection) -> None:
        """Put what the file may lack into it."""
        for name, rows in self.waiting.items():
            insert(connection, _UPSERTS[name], rows.values())

    def introduce(self, connection: sqlite3.Connection, now: int) -> None:
        """Make the rows of this process and its release, once a file."""
        if self.process_id:
            return
        who = self.process
        self.release_id = _one(
            connection,
            "INSERT OR IGNORE INTO releases (service, version, first_seen) VALUES (?,?,?)",
            (who.service, who.release, now),
            "SELECT id FROM releases WHERE service = ? AND version = ?",
            (who.service, who.release),
        )
        self.process_id = _one(
            connection,
            "INSERT OR IGNORE INTO processes "
            "(host, pid, started_at, service, environment, release_id, python, server, app_root, last_seen) "
            "VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                who.host, who.pid, who.started_at, who.service, who.environment, self.release_id,
                who.python, who.server, who.app_root, now,
            ),
            "SELECT id FROM processes WHERE host = ? AND pid = ? AND started_at = ?",
            (who.host, who.pid, who.started_at),
        )  # fmt: skip


def _one(connection: sqlite3.Connection, insert: str, row: Row, find: str, key: Row) -> int:
    connection.execute(insert, row)
    return int(connection.execute(find, key).fetchone()[0])


def _frame_id(frame: Frame) -> int:
    # Without the path on disk: one function deployed to two places is one function.
    text = "\x1f".join((frame.category, frame.file, frame.function, str(frame.line)))
    return hash_id(text.encode("utf-8", "replace"))


def _legible(process: Process) -> Process:
    """The process, fit for its row: its release, host or folder may be any bytes, of any length."""
    texts = {field.name: getattr(process, field.name) for field in fields(process)}
    cleaned: dict[str, Any] = {
        name: clean(text, _LONGEST_PATH if name == "app_root" else _LONGEST_NAME)
        for name, text in texts.items()
        if isinstance(text, str)
    }
    return replace(process, **cleaned)


def clean(text: str, longest: int) -> str:
    """Fit for a text column: bounded, without NUL, valid Unicode."""
    text = text[:longest]
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\x00", "") if "\x00" in text else text
