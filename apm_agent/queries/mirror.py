"""A private SQLite file with what the questions need of a ClickHouse store, drawn from it as they need it.

The server adds the rollups of all machines up and picks rows by their time; the questions are then the same as those
of a local store, and so are their answers. What was drawn stays at hand and follows what is shipped meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import time
import weakref
from collections.abc import Collection, Sequence
from typing import Any

from apm_agent.clickhouse import engine as engines
from apm_agent.clickhouse.address import Address, parse
from apm_agent.clickhouse.engine import Engine
from apm_agent.errors import StoreError
from apm_agent.queries import drawing
from apm_agent.queries.blobs import Blobs
from apm_agent.queries.drawing import Drawing
from apm_agent.queries.mirrored import Numbers, put, remove
from apm_agent.queries.needs import Ids, Need, Oldest, Transactions, Windows, needs
from apm_agent.queries.picking import Picked
from apm_agent.queries.singles import Singles
from apm_agent.queries.stretches import Stretches

#: Seconds between two looks at what was shipped; what the server's clock may be behind while it writes.
_EACH, _OVERLAP = 2.0, 15
_DICTIONARIES = ("statements", "frames", "stacks")


class _Drawn:
    """What is in the file."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self.numbers = Numbers()
        self.stretches = Stretches(raw, self.numbers)
        self.singles = Singles(raw, self.numbers)


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
        self._drawn: _Drawn | None = None
        self._blobs = Blobs()
        self._past = 0
        self._end = weakref.finalize(self, remove, self._folder, os.getpid())

    @property
    def generation(self) -> int:
        """Grows when what is past has changed: nothing remembered of it holds any more."""
        return self._past + (self._drawn.singles.anew if self._drawn is not None else 0)

    def begin(self) -> None:
        """Follow what was shipped since the last look."""
        with self._lock:
            if time.monotonic() - self._looked < _EACH:
                return
            drawing = self._drawing()
            if self._drawn is None:
                now = drawing.now()
                self._drawn = self._make(drawing)
                if self._drawn is None:
                    return
                self._draw_dictionaries(self._drawn, drawing, 0, (*Numbers.NAMES, *_DICTIONARIES))
            else:
                now = self._follow(self._drawn, drawing, self._followed - _OVERLAP)
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
        if asked:
            with self._lock:
                if self._drawn is None:
                    raise StoreError(f"what was drawn of {self.address.shown} has been let go of: ask again")
                for need in asked:
                    partial = self._provide(self._drawn, need) or partial
        return partial

    def blob(self, number: int) -> bytes | None:
        """What a transaction did, packed."""
        with self._lock:
            return self._blobs.of(number, self._drawing())

    def shipments(self) -> list[dict[str, Any]]:
        """How far the shipper of each machine is."""
        with self._lock:
            return self._drawing().shipments()

    def details(self) -> int:
        """Of how many transactions it is known what they did."""
        with self._lock:
            return self._drawing().details()

    def close(self) -> None:
        """Away with the file."""
        with self._lock:
            if self._drawn is not None:
                self._drawn.raw.close()
                self._drawn = None
            if self._engine is not None and not self._given:
                self._engine.close()
                self._engine = None
        self._end()

    def _drawing(self) -> Drawing:
        if self._engine is None:
            self._engine = engines.connect(self.address, StoreError)
        return Drawing(self._engine, self.address.hosts)

    def _make(self, drawn: Drawing) -> _Drawn | None:
        schema, statements = drawn.schema()
        if not statements:
            return None
        raw = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5)
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA synchronous = OFF")
        for statement in (*(drawing.own(each) for each in statements), *drawing.VIEWS):
            raw.execute(statement)
        raw.execute(f"PRAGMA user_version = {schema}")
        return _Drawn(raw)

    def _provide(self, here: _Drawn, need: Need) -> str:
        drawn = self._drawing()
        if isinstance(need, Windows):
            here.stretches.provide(need, drawn)
        elif isinstance(need, Oldest):
            here.stretches.provide_oldest(need, drawn)
        elif isinstance(need, Transactions):
            return here.singles.provide(need, drawn)
        elif isinstance(need, Picked):
            return here.singles.provide_pick(need, drawn)
        elif isinstance(need, Ids):
            here.singles.provide_ids(need.ids, drawn)
            if need.blobs:
                self._blobs.fetch(need.ids, drawn)
        else:
            here.singles.provide_newest(drawn)
        return ""

    def _follow(self, here: _Drawn, drawn: Drawing, since: int) -> int:
        """Draw what came since the last look; the server's clock before it."""
        changes = drawn.changes(since)
        self._draw_dictionaries(here, drawn, since, changes.names)
        if here.stretches.follow(changes, drawn):
            self._past += 1
        here.singles.follow(changes, since, drawn)
        return changes.now

    def _draw_dictionaries(self, here: _Drawn, drawn: Drawing, since: int, names: Collection[str]) -> None:
        for name in (each for each in Numbers.NAMES if each in names):
            rows = []
            for row in drawn.catalogue(name, since):
                if "release_id" in row:
                    row["release_id"] = here.numbers.near("releases", row["release_id"])
                rows.append({**row, "id": here.numbers.give(name, row["id"])})
            put(here.raw, name, rows)
        for name in (each for each in _DICTIONARIES if each in names):
            put(here.raw, name, drawn.dictionary(name, since))


_mirrors: dict[tuple[Address, int], Mirror] = {}
_lock = threading.Lock()


def mirror_of(url: str) -> Mirror:
    """The mirror of a store, one for all who ask in this process."""
    key = (parse(url, StoreError), os.getpid())
    with _lock:
        if key not in _mirrors:
            _mirrors[key] = Mirror(key[0])
        return _mirrors[key]


def forget(url: str) -> None:
    """Away with the mirror of a store."""
    with _lock:
        found = _mirrors.pop((parse(url, StoreError), os.getpid()), None)
    if found is not None:
        found.close()
