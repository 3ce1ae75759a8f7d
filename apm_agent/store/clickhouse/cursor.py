"""How far a shipper is, in a small file of its own beside the local store.

Of each minute it keeps how many transactions were shipped and how many were deleted before they could be. The local
rollups count every transaction, so a minute in which they count more has something that was not shipped yet, however
late it was written.
"""

from __future__ import annotations

import os
import secrets
import sqlite3

from apm_agent.clickhouse.status import FOLDER

_TABLES = """
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS minutes (t INTEGER PRIMARY KEY, shipped INTEGER NOT NULL, dropped INTEGER NOT NULL);
"""


class Cursor:
    """Opened for one store and one target; begins anew when another file lies in the store's place."""

    def __init__(self, store: str, fingerprint: str) -> None:
        folder = os.path.join(os.path.dirname(store), FOLDER)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._raw = sqlite3.connect(
            os.path.join(folder, f"{fingerprint}.cursor"), isolation_level=None, timeout=5
        )
        # Whatever is lost with the power is shipped again, and counted once.
        self._raw.execute("PRAGMA synchronous = OFF")
        os.chmod(os.path.join(folder, f"{fingerprint}.cursor"), 0o600)
        self._raw.executescript(_TABLES)
        #: minute → how many of its transactions are done with
        self.done: dict[int, int] = {}
        self.source = ""

    def begin(self, identity: str) -> None:
        """Go on with the store of that identity, or begin with it."""
        if self.get("identity") != identity:
            self._raw.execute("BEGIN IMMEDIATE")
            self._raw.execute("DELETE FROM minutes")
            self.set(identity=identity, source=secrets.token_hex(6))
            self._raw.execute("COMMIT")
        self.source = self.get("source")
        self.done = dict(self._raw.execute("SELECT t, shipped + dropped FROM minutes").fetchall())

    def get(self, key: str, default: str = "") -> str:
        """A word that was kept."""
        row = self._raw.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else default

    def set(self, **values: str) -> None:
        """Keep words."""
        self._raw.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", values.items())

    def finish(self, t: int, shipped: int, dropped: int, more_shipped: int) -> None:
        """Of this minute so many are shipped, `more_shipped` of them now, and so many more are lost."""
        before = self._raw.execute("SELECT dropped FROM minutes WHERE t = ?", (t,)).fetchone()
        lost = dropped + (before[0] if before else 0)
        self._raw.execute("BEGIN IMMEDIATE")
        self._raw.execute("INSERT OR REPLACE INTO minutes VALUES (?, ?, ?)", (t, shipped, lost))
        self.set(
            shipped=str(int(self.get("shipped", "0")) + more_shipped),
            dropped=str(int(self.get("dropped", "0")) + dropped),
        )
        self._raw.execute("COMMIT")
        self.done[t] = shipped + lost

    def lose(self, dropped: int, **words: str) -> None:
        """So many more are lost; keep words with it."""
        self._raw.execute("BEGIN IMMEDIATE")
        self.set(dropped=str(int(self.get("dropped", "0")) + dropped), **words)
        self._raw.execute("COMMIT")

    def shipped(self, t: int) -> int:
        """How many of a minute were shipped."""
        row = self._raw.execute("SELECT shipped FROM minutes WHERE t = ?", (t,)).fetchone()
        return int(row[0]) if row else 0

    def forget(self, before: int) -> None:
        """Minutes the local store itself no longer counts."""
        self._raw.execute("DELETE FROM minutes WHERE t < ?", (before,))
        for t in [t for t in self.done if t < before]:
            del self.done[t]

    def close(self) -> None:
        self._raw.close()
