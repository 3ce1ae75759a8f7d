"""Forwards a local store to ClickHouse, a step at a time, with bounded memory and from where it was."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from apm_agent.clickhouse import status
from apm_agent.clickhouse.address import Address
from apm_agent.clickhouse.engine import Engine, connect
from apm_agent.clickhouse.tables import (
    DICTIONARIES,
    ENDPOINTS,
    PROCESSES,
    RELEASES,
    SHIPMENTS,
    TRACES,
    TRANSACTIONS,
    WINDOWED,
    Table,
)
from apm_agent.errors import StoreError
from apm_agent.store.clickhouse.cursor import Cursor
from apm_agent.store.clickhouse.local import Local, Row, identity
from apm_agent.store.clickhouse.older import reckon
from apm_agent.store.clickhouse.schema import prepare
from apm_agent.store.schema import PROFILES, ROLLUPS

#: Rows of an insert: of transactions, which are wide, and of the other tables.
_ROWS, _INSERT = 10_000, 50_000
#: Bytes of blobs of an insert.
_BYTES = 16 * 2**20
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
#: Minutes that are looked at each step; the hours of a day each minute, for what comes later still.
_RECENT, _LATE = 20 * _MINUTE, 26 * _HOUR
#: Seconds between two inserts of one window's stacks, which are many: of ten minutes, an hour, a day.
_CADENCE = dict(zip(PROFILES, (0.0, 60.0, 600.0), strict=True))


class Minute(NamedTuple):
    """A minute of the local store: how many transactions it had, and those not shipped yet."""

    t: int
    counted: int
    fresh: list[int]


class Shipper:
    """One local file and one server."""

    def __init__(self, path: str, address: Address, host: str, engine: Engine | None = None) -> None:
        self._path = path
        self._address = address
        self._host = host
        self._engine = engine
        self._given = engine is not None
        self._prepared = False
        self._cursor = Cursor(path, address.fingerprint)
        self._local: Local | None = None
        self._version = 0
        self._sent = 0
        #: everything is to be looked at, not only what is new
        self._whole = True
        self._reset()

    def step(self, all_of_it: bool = False) -> int:
        """Ship what is there now; how many transactions. `all_of_it`: nothing waits for its turn."""
        engine = self._ready()
        local = self._opened()
        before = self._sent
        self._version = max(self._version + 1, time.time_ns(), int(self._cursor.get("version", "0")) + 1)
        self._cursor.set(version=str(self._version))
        self._introduce(engine, local)
        minutes = self._looked_at(local)
        if self._whole:
            # They count all that was just seen in them: the transactions that follow change none.
            self._windows(engine, local, all_of_it)
        batch: list[Minute] = []
        for minute in self._unfinished(local, minutes):
            batch.append(minute)
            if sum(len(each.fresh) for each in batch) >= _ROWS:
                self._minutes(engine, local, batch)
                batch = []
        self._minutes(engine, local, batch)
        self._whole = False
        self._windows(engine, local, all_of_it)
        self._report(engine, local)
        return self._sent - before

    def waiting(self, why: str) -> None:
        """Tell those who look here that nothing gets through."""
        told = {**self._figures(), "waiting": why}
        status.tell(self._path, self._address.fingerprint, told)

    def close(self) -> None:
        """Let go of everything; the cursor remembers."""
        self._cursor.close()
        if self._local is not None:
            self._local.close()
            self._local = None
        self.disconnect()

    def disconnect(self) -> None:
        """The server is gone: connect anew next time."""
        if self._engine is not None and not self._given:
            self._engine.close()
            self._engine = None
        self._prepared = False

    def _ready(self) -> Engine:
        if self._engine is None:
            self._engine = connect(self._address, StoreError)
        if not self._prepared:
            prepare(self._engine)
            self._prepared = True
        return self._engine

    def _reset(self) -> None:
        #: dictionary → id → the day it was last sent with
        self._known: dict[str, dict[int, int]] = {name: {} for name in DICTIONARIES}
        self._told: dict[str, set[Row]] = {"endpoints": set(), "releases": set()}
        self._seen = 0
        #: minute → what was sent of it, while more may come
        self._ids: dict[int, set[int]] = {}
        #: (table, resolution) → windows that changed
        self._dirty: dict[tuple[str, int], set[int]] = {}
        self._due: dict[int, float] = {}
        self._looked_back = -1e9
        self._whole = True
        self._at = 0.0

    def _opened(self) -> Local:
        local = self._local
        if local is not None:
            if identity(self._path) == local.identity:
                return local
            local.close()
        self._local = local = Local(self._path)
        self._cursor.begin(local.identity)
        self._reset()
        return local

    def _introduce(self, engine: Engine, local: Local) -> None:
        """What the rows to come will name."""
        for table, rows in ((ENDPOINTS, local.endpoints()), (RELEASES, local.releases())):
            fresh = [row for row in rows if row not in self._told[table.name]]
            self._insert(engine, table, fresh)
            self._told[table.name].update(fresh)
        processes = local.processes(self._seen)
        self._insert(engine, PROCESSES, processes)
        at = [column.name for column in PROCESSES.columns].index("last_seen")
        self._seen = max((row[at] for row in processes), default=self._seen)
        for name, table in DICTIONARIES.items():
            known = self._known[name]
            since = max(known.values(), default=0) - 1
            fresh_ids = {key: day for key, day in local.dictionary(name, since) if known.get(key) != day}
            for part in _parts(fresh_ids, _INSERT):
                self._insert(engine, table, [(*row, "") for row in local.entries(name, part)])
            known.update(fresh_ids)

    def _looked_at(self, local: Local) -> dict[int, int]:
        """How many transactions there are in the minutes of which not all may be shipped."""
        now = time.time()
        done = self._cursor.done
        since = int(now) - _RECENT
        hours: set[int] = set()
        if self._whole:
            since = 0
        elif time.monotonic() - self._looked_back > _MINUTE:
            self._looked_back = time.monotonic()
            first = int(now - _LATE) // _HOUR * _HOUR
            by_hour: dict[int, int] = {}
            for t, number in done.items():
                by_hour[t // _HOUR * _HOUR] = by_hour.get(t // _HOUR * _HOUR, 0) + number
            hours = {t for t, count in local.counted(_HOUR, first).items() if count > by_hour.get(t, 0)}
        minutes = local.counted(_MINUTE, min([since, *hours]))
        if self._whole:
            reckon(local, self._cursor, minutes)
            for resolution in ROLLUPS:
                self._mark(resolution, local.counted(resolution, self._resumed()))
        return minutes

    def _unfinished(self, local: Local, minutes: dict[int, int]) -> Iterator[Minute]:
        """Those of them of which not all is shipped, oldest first."""
        for t, counted in minutes.items():
            if counted > self._cursor.done.get(t, 0):
                sent = self._ids.get(t, ())
                yield Minute(t, counted, [each for each in local.of_minute(t) if each not in sent])
        oldest = time.time() - _RECENT
        for t in [t for t in self._ids if t < oldest]:
            del self._ids[t]

    def _resumed(self) -> int:
        """Windows before this one were shipped by an earlier run."""
        at = int(float(self._cursor.get("complete", "0")))
        return max(0, at - _DAY) // _DAY * _DAY

    def _minutes(self, engine: Engine, local: Local, batch: list[Minute]) -> None:
        """All that is new of these minutes, and only then the word that it is done."""
        ids = [each for minute in batch for each in minute.fresh]
        for part in _parts(ids, _ROWS):
            self._transactions(engine, local, part)
        recent = time.time() - _RECENT
        for minute in batch:
            t, before = minute.t, self._cursor.shipped(minute.t)
            sent = self._ids.get(t, set()).union(minute.fresh)
            if t >= recent:
                self._ids[t] = sent
            shipped = max(before, len(sent))
            # Rollups and rows are written together, and the rollups were read first: what they count and is
            # not there was deleted meanwhile.
            dropped = minute.counted - shipped - (self._cursor.done.get(t, before) - before)
            self._cursor.finish(t, shipped, max(0, dropped), shipped - before)
            self._sent += shipped - before
        resumed = self._resumed() if self._whole else -1
        for resolution in ROLLUPS:
            self._mark(resolution, [minute.t for minute in batch if not self._whole or minute.t < resumed])

    def _transactions(self, engine: Engine, local: Local, ids: Sequence[int]) -> None:
        part: list[Row] = []
        size = 0
        for row in local.traces(ids):
            part.append(row)
            size += len(row[2])
            if size > _BYTES:
                self._insert(engine, TRACES, part)
                part, size = [], 0
        self._insert(engine, TRACES, part)
        self._insert(engine, TRANSACTIONS, local.transactions(ids))

    def _mark(self, resolution: int, minutes: Iterable[int]) -> None:
        for t in minutes:
            for name in WINDOWED:
                level = PROFILES[ROLLUPS.index(resolution)] if name == "profiles" else resolution
                self._dirty.setdefault((name, level), set()).add(t - t % level)

    def _windows(self, engine: Engine, local: Local, all_of_it: bool) -> None:
        """Whole windows as they are now: a window that is sent again takes the place of what was sent before."""
        now = time.monotonic()
        for (name, level), times in self._dirty.items():
            if not times:
                continue
            if name == "profiles" and not all_of_it:
                if now < self._due.get(level, 0.0):
                    continue
                self._due[level] = now + _CADENCE[level]
            part: list[Row] = []
            for rows in local.windows(name, level, sorted(times)):
                part += rows
                if len(part) >= _INSERT:
                    self._insert(engine, WINDOWED[name], part)
                    part = []
            self._insert(engine, WINDOWED[name], part)
            times.clear()

    def _report(self, engine: Engine, local: Local) -> None:
        self._at = time.time()
        self._cursor.set(complete=str(self._at))
        figures = self._figures()
        version, statements = local.schema()
        at = round(self._at * 1e9)
        row = (at, figures["shipped"], figures["dropped"], 0, version, "\x00".join(statements), "")
        self._insert(engine, SHIPMENTS, [(*row, "")])
        status.tell(self._path, self._address.fingerprint, {**figures, "waiting": None})

    def _figures(self) -> dict[str, Any]:
        complete = float(self._cursor.get("complete", "0"))
        return {
            "to": self._address.shown,
            "at": complete or None,
            "shipped": int(self._cursor.get("shipped", "0")),
            "dropped": int(self._cursor.get("dropped", "0")),
            "behind_s": max(0.0, time.time() - complete) if complete else None,
        }

    @property
    def dropped(self) -> int:
        """Transactions that retention deleted before they were shipped, ever."""
        return int(self._cursor.get("dropped", "0"))

    def _insert(self, engine: Engine, table: Table, rows: Sequence[Row]) -> None:
        """Rows end with their service, and those of processes with their host too."""
        if not rows:
            return
        own = (self._cursor.source, self._version)
        ends = own if table is PROCESSES else (self._host, *own)
        # What a transaction did never changes; of all else there may be more the next time.
        mark = "" if table in (TRANSACTIONS, TRACES) else f"-{self._version}"
        token = f"{self._cursor.source}-{table.name}-{rows[0][0]}-{rows[-1][0]}-{len(rows)}{mark}"
        engine.insert(table.name, table.names, [(*row, *ends) for row in rows], token)


def _parts(ids: Iterable[int], size: int) -> Iterator[list[int]]:
    left = iter(ids)
    while part := list(islice(left, size)):
        yield part
