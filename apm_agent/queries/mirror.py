"""A private SQLite file with what the questions need of a ClickHouse store, drawn from it as they need it.

The server adds the rollups of all machines up and picks rows by their time; the questions are then the same as those
of a local store, and so are their answers. Windows that were drawn stay at hand and follow what is shipped meanwhile.
Single transactions are many: of a stretch with more than `MOST` the newest are drawn, and of its earlier hours the
slowest and the failed ones, and `provide` says so.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

from apm_agent.clickhouse import engine as engines
from apm_agent.clickhouse.address import Address, parse
from apm_agent.clickhouse.engine import Engine
from apm_agent.clickhouse.tables import WINDOWED
from apm_agent.errors import StoreError
from apm_agent.queries import drawing
from apm_agent.queries.blobs import Blobs
from apm_agent.queries.drawing import Drawing
from apm_agent.queries.mirrored import put, remove, runs
from apm_agent.queries.needs import END, Ids, Need, Oldest, Transactions, Windows, needs

#: Transactions drawn whole for one question; of an hour beyond them so many of the slowest and of the failed ones.
MOST, OF_AN_HOUR = 300_000, 1_000
#: Beyond so many it begins anew.
_FULL = 1_500_000
#: Seconds between two looks at what was shipped; what the server's clock may be behind while it writes.
_EACH, _OVERLAP = 2.0, 15
_HOUR, _HOUR_NS = 3600, 3600 * 10**9
#: Seconds of the stretches of windows that are drawn at once.
_STRETCH = {60: 3600, 600: 14_400, 3600: 86_400, 86_400: 100 * 86_400}


class Mirror:
    """One server's store, as far as it was asked for; shared by all threads of a process."""

    def __init__(self, address: Address, engine: Engine | None = None) -> None:
        self.address = address
        self._looked, self._followed = -1e9, 0
        self._engine = engine
        self._given = engine is not None
        self._lock = threading.RLock()
        self._folder = tempfile.mkdtemp(prefix="apm-agent-")
        self.path = os.path.join(self._folder, "apm.db")
        self._raw: sqlite3.Connection | None = None
        self._blobs = Blobs()
        #: grows when what is past has changed: nothing remembered of it holds any more
        self.generation = 0
        self._end = weakref.finalize(self, remove, self._folder, os.getpid())
        self._forget()

    def begin(self) -> None:
        """Follow what was shipped since the last look."""
        with self._lock:
            if time.monotonic() - self._looked < _EACH:
                return
            drawing = self._drawing()
            now = drawing.now()
            if self._raw is None and not self._make(drawing):
                return
            self._draw_dictionaries(drawing)
            if self._followed:
                self._follow(drawing, self._followed - _OVERLAP)
            self._followed = now
            self._looked = time.monotonic()

    def look_again(self) -> None:
        """Follow at once."""
        with self._lock:
            self._looked = -1e9
            self.begin()

    def provide(self, sql: str, parameters: Sequence[Any]) -> str:
        """Have at hand what a statement reads; in words, which part of it is not."""
        partial = ""
        self._blobs.begin()
        asked = needs(sql, parameters)
        if asked and self._raw is not None:
            with self._lock:
                for need in asked:
                    partial = self._provide(need) or partial
        return partial

    def blob(self, number: int) -> bytes | None:
        """What a transaction did, packed."""
        with self._lock:
            return self._blobs.of(number, self._drawing())

    def shipments(self) -> list[dict[str, Any]]:
        """How far the shipper of each machine is."""
        with self._lock:
            return self._drawing().shipments()

    def close(self) -> None:
        """Away with the file."""
        with self._lock:
            if self._raw is not None:
                self._raw.close()
                self._raw = None
            if self._engine is not None and not self._given:
                self._engine.close()
                self._engine = None
        self._end()

    def _drawing(self) -> Drawing:
        if self._engine is None:
            self._engine = engines.connect(self.address, StoreError)
        return Drawing(self._engine, self.address.hosts)

    def _forget(self) -> None:
        self._looked, self._followed = -1e9, 0
        self._known: dict[str, int] = {}
        self._ids: dict[str, dict[int, int]] = {"endpoints": {}, "releases": {}, "processes": {}}
        #: (table, level) → stretches that are here
        self._stretches: dict[tuple[str, int], set[int]] = {}
        self._oldest: set[tuple[str, int]] = set()
        #: hours of which all transactions are here, or but the slowest and the failed
        self._hours: set[int] = set()
        self._some: set[int] = set()
        self._newest = False

    def _make(self, drawn: Drawing) -> bool:
        schema, statements = drawn.schema()
        if not statements:
            return False
        raw = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5)
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA synchronous = OFF")
        for statement in (*(drawing.own(each) for each in statements), *drawing.VIEWS):
            raw.execute(statement)
        raw.execute(f"PRAGMA user_version = {schema}")
        self._raw = raw
        return True

    def _provide(self, need: Need) -> str:
        if isinstance(need, Windows):
            for level in (need.level,) if need.level else drawing.LEVELS[need.table]:
                self._windows(need.table, level, need.start, need.end)
        elif isinstance(need, Oldest):
            self._provide_oldest(need)
        elif isinstance(need, Transactions):
            return self._transactions(need.start // _HOUR_NS, -(-min(need.end, END * 10**9) // _HOUR_NS))
        elif isinstance(need, Ids):
            self._put_transactions(self._drawing().by_ids(self._absent(need.ids)))
            if need.blobs:
                self._blobs.fetch(need.ids, self._drawing())
        elif not self._newest:
            self._put_transactions(self._drawing().newest())
            self._newest = True
        return ""

    def _windows(self, table: str, level: int, start: int, end: int) -> None:
        width = _STRETCH.get(level)
        if width is None:
            return
        here = self._stretches.setdefault((table, level), set())
        first, last = start // width, -(-end // width)
        if last - first > 1000 or len(here) < last - first:  # most of them hold nothing
            first, last = self._bounds(table, level, first, last, width)
        missing = [each for each in range(first, last) if each not in here]
        for begin, stop in runs(missing):
            self._put_windows(table, self._drawing().windows(table, level, begin * width, stop * width))
        here.update(missing)

    def _bounds(self, table: str, level: int, first: int, last: int, width: int) -> tuple[int, int]:
        low, high = self._drawing().span(table, level)
        return max(first, low // width), min(last, high // width + 2)

    def _provide_oldest(self, need: Oldest) -> None:
        if (need.table, need.level) not in self._oldest:
            low, _ = self._drawing().span(need.table, need.level)
            self._put_windows(need.table, self._drawing().windows(need.table, need.level, low, low + 1))
            self._oldest.add((need.table, need.level))

    def _transactions(self, first: int, last: int) -> str:
        if last - first > 1000:
            low, high = self._drawing().started()
            first, last = max(first, low // _HOUR_NS), min(last, high // _HOUR_NS + 1)
        missing = [hour for hour in range(first, last) if hour not in self._hours]
        if missing:
            self._draw_hours(missing)
        some = sum(hour in self._some for hour in range(first, last))
        return (
            f"of {some} hours only the {OF_AN_HOUR} slowest and the {OF_AN_HOUR} newest failed transactions are looked"
            " at; counts and percentiles are of all"
            if some
            else ""
        )

    def _draw_hours(self, missing: list[int]) -> None:
        drawn = self._drawing()
        if self._held() > _FULL:
            self._begin_anew()
        counts = drawn.hourly(missing[0], missing[-1] + 1)
        left = MOST
        whole: list[int] = []
        some: list[int] = []
        for hour in reversed(missing):
            count = counts.get(hour, 0)
            (whole if count <= left else some).append(hour)
            left = left - count if count <= left else 0
        for begin, stop in runs(sorted(whole)):
            if any(counts.get(hour) for hour in range(begin, stop)):
                self._put_transactions(drawn.between(begin * _HOUR_NS, stop * _HOUR_NS))
        for hour in some:
            if hour not in self._some:
                self._put_transactions(drawn.remarkable(hour * _HOUR_NS, (hour + 1) * _HOUR_NS, OF_AN_HOUR))
        self._hours.update(whole)
        self._some.difference_update(whole)
        self._some.update(some)

    def _follow(self, drawn: Drawing, since: int) -> None:
        past = False
        now = time.time()
        for table in WINDOWED:
            for level, t in drawn.changed(table, since):
                width = _STRETCH.get(level, 0)
                if width and t // width in self._stretches.get((table, level), ()):
                    self._put_windows(table, drawn.windows(table, level, t, t + 1))
                    past = past or t + level < now - 900
        rows = drawn.added(since)
        if rows:
            here = self._hours | self._some
            self._put_transactions(
                [row for row in rows if row["started_at"] // _HOUR_NS in here or self._newest]
            )
        if past:
            self.generation += 1

    def _draw_dictionaries(self, drawn: Drawing) -> None:
        raw = self._opened()
        for name in ("endpoints", "releases", "processes"):
            ids = self._ids[name]
            for row in drawn.catalogue(name, self._known.get(name, 0)):
                ids.setdefault(row["id"], len(ids) + 1)
                if "release_id" in row:
                    row["release_id"] = self._ids["releases"].get(row["release_id"], 0)
                put(raw, name, [{**row, "id": ids[row["id"]]}])
        for name in ("statements", "frames", "stacks"):
            put(raw, name, drawn.dictionary(name, self._known.get(name, 0)))
        self._known = dict.fromkeys(
            (*self._ids, "statements", "frames", "stacks"), max(0, drawn.now() - _OVERLAP)
        )

    def _put_windows(self, table: str, rows: Iterable[dict[str, Any]]) -> None:
        put(self._opened(), table, [self._placed(row) for row in rows])

    def _put_transactions(self, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        raw = self._opened()
        traced = [{"transaction_id": row["id"]} for row in rows if row.pop("traced")]
        processes = self._ids["processes"]
        placed = [{**self._placed(row), "process_id": processes.get(row["process_id"], 0)} for row in rows]
        put(raw, "transactions", placed)
        put(raw, "traced", traced)

    def _placed(self, row: dict[str, Any]) -> dict[str, Any]:
        row["endpoint_id"] = self._ids["endpoints"].get(row["endpoint_id"], 0)
        row["release_id"] = self._ids["releases"].get(row["release_id"], 0)
        return row

    def _absent(self, ids: Iterable[int]) -> list[int]:
        raw = self._opened()
        found = []
        for number in ids:
            if (
                number > 1 << 40
                and not raw.execute("SELECT 1 FROM transactions WHERE id = ?", (number,)).fetchone()
            ):
                found.append(number)
        return found

    def _held(self) -> int:
        return int(self._opened().execute("SELECT count(*) FROM transactions").fetchone()[0])

    def _begin_anew(self) -> None:
        raw = self._opened()
        for table in ("transactions", "traced"):
            raw.execute(f"DELETE FROM {table}")
        self._hours.clear()
        self._some.clear()
        self._newest = False
        self.generation += 1

    def _opened(self) -> sqlite3.Connection:
        if self._raw is None:
            raise StoreError(f"nothing has been shipped to {self.address.shown} yet")
        return self._raw


_mirrors: dict[tuple[Address, int], Mirror] = {}
_lock = threading.Lock()


def mirror_of(url: str) -> Mirror:
    """The mirror of a store, one for all who ask in this process."""
    key = (parse(url, StoreError), os.getpid())
    with _lock:
        if key not in _mirrors:
            _mirrors[key] = Mirror(key[0])
        return _mirrors[key]
