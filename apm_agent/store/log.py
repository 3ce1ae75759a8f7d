"""Keeps the write-ahead log within its room: copied into the file beside the writers, cut in a moment without them."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time

from apm_agent.store.exclusive import LOOKS

_MOST = 64 * 2**20
#: Pages that may be left to copy while everybody waits, and how often what is left is copied beside them before.
_FEW, _TIMES = 256, 4
#: Milliseconds to wait for writers to let go and, with the file held, for readers to be done with the log.
_MOMENT = 20
#: Seconds a writer waits when the log is full, before it writes beyond.
_PATIENCE = 1.0
#: Of its room: from here on it is full, for the next batch must find its place too.
_FULL = 0.6


class Log:
    """The log of one file; `most` is its room in bytes."""

    def __init__(self, path: str, max_size: int) -> None:
        self.most = min(_MOST, max_size // 8)
        self._path = f"{path}-wal"

    def full(self) -> bool:
        """Whether it is to be cut before anybody writes on."""
        return self._size() > self.most * _FULL

    def cut(self, connection: sqlite3.Connection) -> None:
        """Cut it when half of its room is used: under constant writing SQLite itself never finds the moment.

        While it is full nobody goes on to write: all try until one of them has cut it.
        """
        size = self._size()
        if size <= self.most // 2:
            return
        before = connection.execute("PRAGMA busy_timeout").fetchone()[0]
        connection.execute(f"PRAGMA busy_timeout = {_MOMENT}").fetchall()
        deadline = time.monotonic() + _PATIENCE
        try:
            while not self._try(connection, full=size > self.most * _FULL):
                if size <= self.most * _FULL or time.monotonic() > deadline:
                    return  # the next one will
                time.sleep(LOOKS)
                size = self._size()
                if size <= self.most // 2:
                    return
        finally:
            connection.execute(f"PRAGMA busy_timeout = {before}").fetchall()

    def _try(self, connection: sqlite3.Connection, full: bool) -> bool:
        # What goes wrong here is told by the next write: this one is done.
        with contextlib.suppress(sqlite3.OperationalError):
            left = 0
            for _ in range(_TIMES):
                busy, pages, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if busy:  # another one does it
                    return False
                left = pages - copied
                if left <= _FEW:
                    break
            if left <= _FEW or full:
                return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return False

    def _size(self) -> int:
        try:
            return os.stat(self._path).st_size
        except OSError:
            return 0
