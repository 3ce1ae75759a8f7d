"""The store in one SQLite file: many processes write it, each a batch at a time."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from apm_agent.clock import Clock, system
from apm_agent.errors import StoreError
from apm_agent.model.chance import unique
from apm_agent.model.record import Process, Record
from apm_agent.store import faults, migrations
from apm_agent.store.base import never
from apm_agent.store.batch import Batch
from apm_agent.store.connection import BUSY_SECONDS, connect
from apm_agent.store.dictionaries import Dictionaries
from apm_agent.store.exclusive import exclusive
from apm_agent.store.location import prepare
from apm_agent.store.log import Log
from apm_agent.store.outside import Outside
from apm_agent.store.retention import Retention

#: Connections that belong to a parent process: neither used nor closed here, because closing would let go of
#: locks and a WAL that are the parent's.
_forgotten: list[sqlite3.Connection] = []


class SQLiteStore:
    """Writes batches, keeps the file within its size and age, and survives what happens to it."""

    def __init__(
        self,
        path: str,
        process: Process,
        max_size: int = 512 * 2**20,
        max_age: float = 7 * 86400.0,
        *,
        busy: float = BUSY_SECONDS,
        clock: Clock = system,
    ) -> None:
        self.path = path
        self._busy = busy
        self._clock = clock
        self._ids = Dictionaries(process)
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._outside = Outside(path)
        self._pid = os.getpid()
        self._log = Log(path, max_size)
        owner = f"{process.host}:{process.pid}:{process.started_at}"
        self._retention = Retention(path, owner, max_size, max_age, log=self._log, clock=clock)
        # What is wrong with the place is said here; the file itself is opened by the first write.
        prepare(path)

    def write(
        self, records: Sequence[Record], state: dict[str, Any] | None = None, timeout: float | None = None
    ) -> None:
        """Keep a batch, all of it or none of it."""
        faults.guard_disk(self.path)
        self._guarded(lambda: self._write(records, state, timeout))

    def prune(self, hurried: Callable[[], bool] = never) -> bool:
        """One slice of keeping the file small; True while there is more. Nothing without the lease."""
        return bool(self._guarded(lambda: self._retention.step(self._open(), hurried)))

    def close(self) -> None:
        """Close the connection; the next write opens it again. The last to close folds the WAL back in."""
        connection, self._connection = self._connection, None
        self._retention.forget()
        self._outside.forget()
        if connection is None:
            return
        if self._pid != os.getpid():
            _forgotten.append(connection)
            return
        with contextlib.suppress(sqlite3.Error):
            connection.close()

    def _open(self, patience: float | None = None) -> sqlite3.Connection:
        """The connection of this process to the file that lies at the path now."""
        harmed = False
        if self._connection is not None:
            found = faults.inode_of(self.path)
            emptied = found is None and self._inode is not None and os.path.exists(self.path)
            harmed = emptied or not self._outside.log_is_ours()
            same = found == self._inode and not harmed
            if same and self._pid == os.getpid():
                migrations.migrate(self._connection, self.path)  # a newer apm-agent may have come to it since
                return self._connection
            # Forked, or the file was deleted, replaced or emptied under us: writing on would go nowhere.
            self.close()
        self._pid = os.getpid()
        patience = self._busy if patience is None else patience
        self._this_is(faults.inode_of(self.path))  # if it cannot be opened, this is the one to be put aside
        self._connection = connect(self.path, min(self._busy, patience), patience)
        self._this_is(faults.inode_of(self.path))
        self._outside.log_is_ours()  # from now on
        if harmed:
            self._outside.read_as_a_stranger()
        return self._connection

    def _this_is(self, inode: tuple[int, int] | None) -> None:
        if inode != self._inode:
            self._ids.forget()
        self._inode = inode

    def _forget(self) -> None:
        self.close()
        self._inode = None

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """Do it; where the file is at fault, set it right and try once more, or say `StoreError`."""
        for last in (False, True):
            try:
                return work()
            except (sqlite3.Error, UnicodeDecodeError) as error:
                self._ids.rollback()
                self._roll_back()
                kind = faults.kind_of(error)
                if kind is None:
                    raise
                if kind is faults.UNUSABLE and faults.log_is_gone(self.path, error):
                    kind = faults.CORRUPT
                if kind in (faults.CORRUPT, faults.MISSING) and not last:
                    self._start_anew(damaged=kind is faults.CORRUPT)
                    continue
                self._after(kind)
                raise StoreError(f"cannot write {self.path}: {error}") from error
            except OSError as error:  # the folder or the lock file; the database itself has errors of its own
                self._forget()
                raise StoreError(f"cannot write {self.path}: {error.strerror or error}") from error
            except BaseException:
                self._ids.rollback()
                self._roll_back()
                raise
        return None

    def _roll_back(self) -> None:
        connection = self._connection
        if connection is not None and connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")

    def _start_anew(self, damaged: bool) -> None:
        inode = self._inode
        self._forget()
        if damaged:
            faults.quarantine(self.path, inode, self._clock.wall())

    def _after(self, kind: str) -> None:
        if kind is faults.FULL:
            # The ballast's room lets a checkpoint and a DELETE through, and those let writes through again.
            faults.drop_ballast(self.path)
            with contextlib.suppress(sqlite3.Error):
                connection = self._open()
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                self._retention.trim(connection)
            self._roll_back()
        elif kind is faults.LOCKED:
            faults.clear_away(self.path)
        else:
            self._forget()

    def _write(self, records: Sequence[Record], state: dict[str, Any] | None, timeout: float | None) -> None:
        connection = self._open(timeout)
        self._outside.look(self._clock.monotonic() / 1e9)
        self._wait_at_most(connection, timeout)
        for _ in range(3):
            batch = Batch(records, self._ids, self._clock.wall())  # encoded before anyone has to wait for us
            try:
                self._put(connection, batch, state)
                break
            except sqlite3.IntegrityError:
                # Two transactions drew one id: about once in ten days at 100 a second.
                self._ids.rollback()
                for record in records:
                    record.id ^= unique(21)
        else:
            raise ValueError("records without ids of their own")
        if faults.inode_of(self.path) != self._inode:
            self._forget()
            raise StoreError(f"{self.path} was deleted while it was written: the batch is written again")
        self._ids.commit()
        self._retention.look(connection)
        self._log.cut(connection)

    def _put(self, connection: sqlite3.Connection, batch: Batch, state: dict[str, Any] | None) -> None:
        """Write it; where the log became full while this one waited for its turn, the log is cut first."""
        for last in (False, True):
            with exclusive(connection):
                if last or not self._log.full():
                    batch.write(connection, state)
                    return
            self._log.cut(connection)

    def _wait_at_most(self, connection: sqlite3.Connection, timeout: float | None) -> None:
        seconds = self._busy if timeout is None else max(0.0, min(timeout, self._busy))
        connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")


def load(path: str) -> None:
    """Import what the file at `path` will need."""
    migrations.load(path)
