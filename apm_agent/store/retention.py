"""Keeps the file within its size and its age, a slice at a time, by whichever process holds the lease."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator

from apm_agent.clock import Clock
from apm_agent.store import faults
from apm_agent.store.exclusive import exclusive
from apm_agent.store.holds import Hold
from apm_agent.store.log import Log
from apm_agent.store.many import delete
from apm_agent.store.windows import AGES, FADES, delete_before, delete_some, oldest_of

_MINUTE, _DAY, _SECOND = 60, 86_400, 10**9
#: dictionary → where its ids are still needed; blobs need them no longer than single transactions are kept. Days are
#: kept longest, and name all that minutes and hours name: these may be a thousand times as many rows.
_DICTIONARIES = {
    "stacks": "SELECT stack_id FROM profiles WHERE resolution = 86400",
    "statements": "SELECT statement_id FROM statement_rollups WHERE resolution = 86400 "
    "UNION SELECT statement_id FROM insight_rollups WHERE resolution = 86400",
    "frames": "SELECT frame_id FROM statement_rollups WHERE resolution = 86400 "
    "UNION SELECT frame_id FROM insight_rollups WHERE resolution = 86400",
}
_OLDEST = (
    "SELECT x.id, length(d.data) FROM transactions x LEFT JOIN traces d ON d.transaction_id = x.id "
    "WHERE x.started_at < ? ORDER BY x.started_at LIMIT ?"
)
_LEASE = (
    "INSERT INTO leases (name, owner, until) VALUES ('retention', ?, ?) ON CONFLICT (name) DO UPDATE SET "
    "owner = excluded.owner, until = excluded.until WHERE until < ? OR owner = excluded.owner OR until > ?"
)
_LEASED = 90 * 10**9
#: Of a file that is far too large whoever comes takes the lease from one that has not renewed it for so long.
_STALE = 10 * 10**9
_RENEWED_EACH = 4.0
#: In one hold: rows of any table, each page of a blob counted like a row; and pages given back. The fewest take 2 ms of
#: a processor: where they last longer there is none to be had, and fewer would only never keep up.
ROWS, PAGES = (200, 500), (50, 200)
_PAGE = 4096
_PROBED, _PROBED_EACH = 100_000, 60.0  # rows, seconds
_SLICE, _LONGEST = 0.25, 4.0
_LOOK_EACH = 5.0
#: Of the limit: from here on making room comes before writing more.
_FAR = 1.03
#: Of what there is: a flood takes the file 4 % over what it is kept to, and the folder stays within its size so.
_AIM = 0.94


class Retention:
    """Looks at the size after each write, and prunes each minute or when the file is too large."""

    def __init__(
        self, path: str, owner: str, max_size: int, max_age: float, *, log: Log, clock: Clock
    ) -> None:
        self._path = path
        self._log = log
        self._owner = owner
        self._max_age = max_age
        self._clock = clock
        self._ballast = min(faults.BALLAST, max_size // 50)
        #: what is left for tables beside the WAL, the ballast, and what many writers add before room is made
        self.limit = int((max_size - log.most - self._ballast) * _AIM)
        # Rows of one kind cost not what those of another do.
        self._rows, self._windows, self._entries = (Hold(*ROWS, clock) for _ in range(3))
        self._pages = Hold(*PAGES, clock)
        self._due = self._probe_due = self._dictionaries_due = self._leased_at = 0.0
        self._work: Iterator[bool] | None = None

    def look(self, connection: sqlite3.Connection) -> None:
        """Bring the next pruning forward when the file is over its limit."""
        over = max(_used(connection), _file(connection)) / self.limit
        if over > 1:
            # One writer that comes seldom has time; many that write without a pause are soon far beyond.
            self._due = min(self._due, self._now() + (_LOOK_EACH if over < _FAR else 0))

    def trim(self, connection: sqlite3.Connection) -> None:
        """The disk is full: make room inside the file, whatever the limit is."""
        limit = min(self.limit, _used(connection) * 9 // 10)
        for _ in self._shrink(connection, limit):
            pass

    def forget(self) -> None:
        """What was begun was begun on another file."""
        self._work = None

    def step(self, connection: sqlite3.Connection, hurried: Callable[[], bool]) -> bool:
        """Work for a quarter of a second, or longer when far too large and not `hurried`; True while there is more."""
        spell = self._spell(connection)
        far = spell > _SLICE
        if self._work is None:
            if self._now() < self._due:
                return False
            self._due = self._now() + (_SLICE if far else _MINUTE)
            if not self._lease(connection, far):
                return far and not self._give_way(connection, spell, hurried)
            self._work = self._all(connection)
        elif self._now() > self._leased_at + _RENEWED_EACH and not self._lease(connection, far):
            self._work = None
            return False
        end = time.monotonic() + spell
        try:
            # A commit that comes upon a long WAL copies it into the file there and then; `cut` does so when it must.
            connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
            for _ in self._work:
                self._log.cut(connection)  # deleting writes as much to the WAL as inserting did
                if time.monotonic() > end or hurried():
                    return True
        except BaseException:
            self._work = None
            raise
        finally:
            connection.execute("PRAGMA wal_autocheckpoint = 1000").fetchall()
        self._work = None
        return False

    def _now(self) -> float:
        return self._clock.monotonic() / _SECOND

    def _spell(self, connection: sqlite3.Connection) -> float:
        """Seconds of making room between two batches: the further over the limit, the more."""
        over = _used(connection) / self.limit
        return _SLICE if over <= _FAR else min(_LONGEST, 4 * _SLICE * (over - 1) / (_FAR - 1))

    def _give_way(self, connection: sqlite3.Connection, spell: float, hurried: Callable[[], bool]) -> bool:
        """Let whoever deletes come to it, or it never catches up with so many; whether it has."""
        end = time.monotonic() + spell
        while far := self._spell(connection) > _SLICE:
            if time.monotonic() > end or hurried():
                break
            time.sleep(0.05)
        return not far

    def _lease(self, connection: sqlite3.Connection, far: bool) -> bool:
        with exclusive(connection):
            now = self._clock.wall()  # after all who were here before us
            until = now + _LEASED
            over = until - _STALE if far else now
            # One that ends later than any may was taken before the clock was set back.
            had = connection.execute(_LEASE, (self._owner, until, over, until)).rowcount > 0
        self._leased_at = self._now()
        return had

    def _all(self, connection: sqlite3.Connection) -> Iterator[bool]:
        """Everything there is to do; yields after each piece, holding no lock."""
        now = self._clock.wall() // _SECOND
        if self._now() >= self._probe_due:
            self._probe_due = self._now() + _PROBED_EACH
            _probe(self._path)
            yield True
        yield from self._old_transactions(connection, now)
        for (table, resolution), age in AGES.items():
            yield from delete_before(connection, table, resolution, now - age, self._windows)
        yield from self._too_large(connection)
        if self._now() >= self._dictionaries_due:
            self._dictionaries_due = self._now() + 3600
            yield from self._unused_entries(connection, now)
        yield from self._give_back(connection)
        faults.lay_ballast(self._path, self._ballast)

    def _old_transactions(self, connection: sqlite3.Connection, now: int) -> Iterator[bool]:
        horizon = int((now - self._max_age) * _SECOND)
        while self._delete_oldest(connection, horizon):
            yield True
        connection.execute(
            "DELETE FROM processes WHERE last_seen < ?", (min(horizon, (now - _DAY) * _SECOND),)
        )

    def _too_large(self, connection: sqlite3.Connection) -> Iterator[bool]:
        if _used(connection) > self.limit:
            # Somewhat below, so that the next batch does not start it all again.
            yield from self._shrink(connection, self.limit * 95 // 100)

    def _shrink(self, connection: sqlite3.Connection, limit: int) -> Iterator[bool]:
        while _used(connection) > limit and self._delete_some(connection):
            yield True

    def _delete_some(self, connection: sqlite3.Connection) -> bool:
        """Delete some of what is oldest for its kind; False when there is nothing."""
        now = self._clock.wall() / _SECOND
        ages: dict[tuple[str, int], float] = {}
        first = connection.execute("SELECT min(started_at) FROM transactions").fetchone()[0]
        if first is not None:
            ages["transactions", 0] = (now - first / _SECOND) / self._max_age
        for (table, resolution), fades in FADES.items():
            oldest = oldest_of(connection, table, resolution)
            if oldest is not None:  # one that is still written to has no age yet
                past = max(0.0, now - oldest - resolution)
                ages[table, resolution] = fades * past / AGES[table, resolution]
        if not ages:
            return False
        kind = max(ages, key=ages.__getitem__)
        ages.pop(kind)
        # Down to the age of what would be next; something at least.
        others = max(ages.values(), default=0.0)
        table, resolution = kind
        if not resolution:
            until = max(first, self._clock.wall() - int(others * self._max_age * _SECOND)) + 1
            return bool(self._delete_oldest(connection, until))
        past = others * AGES[kind] / FADES[kind]
        horizon = max(oldest_of(connection, table, resolution) or 0, int(now - past) - resolution) + 1
        return delete_some(connection, table, resolution, horizon, self._windows)

    def _delete_oldest(self, connection: sqlite3.Connection, horizon: int) -> int:
        """Delete the oldest transactions before a time, as many as a hold may."""
        most, weight = self._rows.size, 0
        chosen: list[tuple[int]] = []
        for key, size in connection.execute(_OLDEST, (horizon, most)).fetchall():
            weight += 1 + (size or 0) // _PAGE
            if chosen and weight > most:
                break
            chosen.append((key,))
        if chosen:
            with self._rows.hold(connection):
                delete(connection, "traces", "transaction_id", chosen)
                delete(connection, "transactions", "id", chosen)
        return len(chosen)

    def _unused_entries(self, connection: sqlite3.Connection, now: int) -> Iterator[bool]:
        # Writers mark what they use each day, so nothing a running process counts on is this old.
        horizon = int((now - self._max_age) // _DAY) - 2
        for table, needed in _DICTIONARIES.items():
            where = f"day < {horizon} AND id NOT IN ({needed})"
            if table == "frames":
                kept = _frames_of_stacks(connection)
                found = connection.execute(f"SELECT id FROM frames WHERE {where}").fetchall()
                unused = [row for row in found if row[0] not in kept]
            else:
                unused = connection.execute(f"SELECT id FROM {table} WHERE {where}").fetchall()
            while unused:
                some, unused = unused[: self._entries.size], unused[self._entries.size :]
                with self._entries.hold(connection):
                    delete(connection, table, f"day < {horizon} AND id", some)
                yield True

    def _give_back(self, connection: sqlite3.Connection) -> Iterator[bool]:
        while True:
            free, pages = _pragma(connection, "freelist_count"), _pragma(connection, "page_count")
            if not free or (free <= pages // 10 and _file(connection) <= self.limit):
                return
            with self._pages.hold(connection):
                # `execute` frees one page a call, whatever it is told.
                for _ in range(min(free, self._pages.size)):
                    connection.execute("PRAGMA incremental_vacuum(1)").fetchall()
            if _pragma(connection, "freelist_count") >= free:  # the file was made without auto_vacuum
                return
            yield True


def _probe(path: str) -> None:
    """Read the file as a stranger would: who has its pages cached does not see that it was overwritten."""
    fresh = sqlite3.Connection(path, timeout=1)
    try:
        # Of a large file the newest part: this is done each minute.
        fresh.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM transactions ORDER BY started_at DESC LIMIT {_PROBED})"
        ).fetchall()
        fresh.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM rollups WHERE resolution = 3600 ORDER BY t DESC LIMIT {_PROBED})"
        ).fetchall()
        fresh.execute("SELECT max(transaction_id) FROM traces").fetchall()
    finally:
        fresh.close()


def _frames_of_stacks(connection: sqlite3.Connection) -> set[int]:
    kept: set[int] = set()
    for (frames,) in connection.execute("SELECT frames FROM stacks").fetchall():
        if isinstance(frames, bytes) and len(frames) % 8 == 0:  # bits of a file turn
            kept.update(memoryview(frames).cast("q"))
    return kept


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _file(connection: sqlite3.Connection) -> int:
    return _pragma(connection, "page_count") * _pragma(connection, "page_size")


def _used(connection: sqlite3.Connection) -> int:
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")
