"""Notices what was done to the file from outside of SQLite, which a connection with its pages cached does not."""

from __future__ import annotations

import os
import sqlite3
from typing import Any, NamedTuple
from urllib.parse import quote

#: Seconds between two readings of the whole file because it shrank.
_EACH = 60.0


class _State(NamedTuple):
    changed_at: int
    size: int
    hole: int


class Outside:
    """Looks at the file before each write: at its times and size, and closer only when these changed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._uri = f"file:{quote(path)}"
        self._seen: _State | None = None
        self._sparse = False
        self._log: tuple[int, int] | None = None
        self._whole_at = -_EACH

    def forget(self) -> None:
        """The connection was closed; another file may lie there when the next one is opened."""
        self._seen = self._log = None

    def log_is_ours(self) -> bool:
        """False when the WAL was deleted or replaced under the connection: what is written to it no reader finds."""
        try:
            found = os.stat(f"{self._path}-wal")
        except OSError:
            return self._log is None  # made by the first transaction, and deleted only by the last to close
        log = (found.st_dev, found.st_ino)
        if self._log is None:
            self._log = log
        return log == self._log

    def look(self, now: float) -> None:
        """Raise `sqlite3.DatabaseError` when the file cannot be what SQLite left; `now` is of a monotonic clock.

        Checkpoints of any process change times and size too, so a change is only a reason to look.
        """
        found = os.stat(self._path)
        state = _State(found.st_mtime_ns, found.st_size, _hole(found))
        seen = self._seen or state
        if seen != state:
            self._beginning()
            if state.size < seen.size and now - self._whole_at >= _EACH and self._too_short(state.size):
                self._whole_at = now
                self.read_as_a_stranger()
            if state.hole > seen.hole and not self._sparse:
                # It was cut, and the next checkpoint wrote beyond the cut before anybody looked: what lay in between
                # reads as zeros. Who compresses files keeps less than their size too; that is found out once.
                self.read_as_a_stranger()
                self._sparse = True
        self._seen = state

    def _beginning(self) -> None:
        # Through SQLite: closing a descriptor of our own would drop the locks of all connections of this process.
        # `immutable` reads the file alone; where the WAL has page 1 too, nobody else ever looks at what is there.
        try:
            self._told("PRAGMA schema_version", "mode=ro&immutable=1")
        except sqlite3.DatabaseError as error:
            # Anything else may be a checkpoint that another process is in the middle of.
            if "not a database" in str(error):
                raise

    def read_as_a_stranger(self) -> None:
        """Raise `sqlite3.DatabaseError` when the file cannot be read by who has none of its pages cached.

        Of a file that was emptied the WAL may keep the beginning and the end, and who writes notices nothing. The last
        to close folds in a WAL that was deleted, but as long as anyone, a dashboard perhaps, keeps the index of what
        was in it, whoever comes looks for that in the new one.
        """
        try:
            said = self._told("PRAGMA quick_check(1)")
        except sqlite3.OperationalError as error:
            if "is locked" in str(error):
                raise
            said = str(error)
        if said != "ok":
            raise sqlite3.DatabaseError(f"database disk image is malformed: {said}")

    def _too_short(self, size: int) -> bool:
        # Giving space back makes it smaller too, but never smaller than the database in it, unless that grew since.
        told = self._told("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        return bool(told > size)

    def _told(self, question: str, opened: str = "mode=ro") -> Any:
        """What a connection that is opened for it answers: of its rows the first, of that the first column."""
        connection = sqlite3.Connection(f"{self._uri}?{opened}", uri=True, timeout=1)
        try:
            return connection.execute(question).fetchall()[0][0]
        finally:
            connection.close()


def _hole(found: os.stat_result) -> int:
    """The bytes of a file for which the disk keeps nothing; 0 where that is not told."""
    blocks = getattr(found, "st_blocks", None)
    return 0 if blocks is None else max(0, found.st_size - blocks * 512)
