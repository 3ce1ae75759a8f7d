"""The statements by which a mirror draws from ClickHouse: rollups added up over all machines, rows by their time."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from struct import pack
from typing import Any, NamedTuple

from apm_agent.clickhouse.engine import Engine, quoted
from apm_agent.clickhouse.tables import (
    DICTIONARIES,
    ENDPOINTS,
    PROCESSES,
    RELEASES,
    TRANSACTIONS,
    WINDOWED,
)
from apm_agent.model.histogram import Histogram
from apm_agent.queries.picking import Far, Picked

Drawn = dict[str, Any]
LEVELS = {name: (600, 3600, 86400) if name == "profiles" else (60, 3600, 86400) for name in WINDOWED}
_CATALOGUES = {table.name: table for table in (ENDPOINTS, RELEASES, PROCESSES)}
#: Blobs are fetched when they are looked into.
VIEWS = (
    "CREATE TABLE traced (transaction_id INTEGER PRIMARY KEY)",
    "CREATE VIEW traces AS SELECT transaction_id, blob_of(transaction_id) AS data FROM traced",
)
_OTHER_NAMES = {"releases": {"release": "version"}, "endpoints": {}, "processes": {}}
_NEWEST = 2_000
#: So many ids are named one by one.
_AMONG = 5_000
_HOUR_NS, _DAY_NS = 3600 * 10**9, 86_400 * 10**9
#: Ids begin with the start, in units of 2^20 ns above 21 random bits.
_RANDOM_BITS, _UNIT_BITS = 21, 20


#: An index of it: a view has none.
_ON_TRACES = re.compile(r' ON "?traces"?(?= )')


class Changes(NamedTuple):
    """What came since a look: dictionaries, windows by table and resolution, hours of transactions; and when."""

    now: int
    names: set[str]
    windows: dict[tuple[str, int], list[int]]
    hours: set[int]


def own(statement: str) -> str:
    """A statement that makes the local tables, as the mirror runs it."""
    if statement.startswith(("CREATE TABLE traces", 'CREATE TABLE "traces"')):
        return "CREATE TABLE IF NOT EXISTS untraced (transaction_id INTEGER PRIMARY KEY, data BLOB)"
    return _ON_TRACES.sub(" ON untraced", statement)


class Drawing:
    """Draws through one connection; `hosts` narrows it to these machines."""

    def __init__(self, engine: Engine, hosts: Sequence[str] = ()) -> None:
        self._engine = engine
        self._only = f" AND host IN ({', '.join(map(quoted, hosts))})" if hosts else ""

    def now(self) -> int:
        """The server's clock, by which it notes when a row came."""
        return int(self._engine.rows("SELECT toUInt32(now())")[0][0])

    def schema(self) -> tuple[int, list[str]]:
        """The newest schema among the local stores; nothing while none was shipped."""
        if not self._engine.rows("EXISTS TABLE shipments")[0][0]:
            return 0, []
        rows = self._engine.rows("SELECT schema, ddl FROM shipments FINAL ORDER BY schema DESC LIMIT 1")
        return (int(rows[0][0]), str(rows[0][1]).split("\x00")) if rows else (0, [])

    def shipments(self) -> list[Drawn]:
        """Each shipper: its machine, when it got through last, what it shipped, what was lost."""
        rows = self._engine.rows(
            "SELECT host, source, at, shipped, dropped FROM shipments FINAL"
            f" WHERE 1{self._only} ORDER BY host, source"
        )
        return [
            {"host": row[0], "source": row[1], "at": row[2] / 1e9, "shipped": row[3], "dropped": row[4]}
            for row in rows
        ]

    def catalogue(self, name: str, since: int) -> list[Drawn]:
        """Endpoints, releases or processes, in the order in which their machine came to know them."""
        table = _CATALOGUES[name]
        other = _OTHER_NAMES[name]
        columns = [column.name for column in table.columns if column.name not in {"id", "number"}]
        last = [f"argMax({each}, version)" for each in columns]
        ends = ["service", "host"] if table is PROCESSES else ["service"]
        only = self._only_sources() if table is PROCESSES else self._only
        rows = self._engine.rows(
            f"SELECT id, {', '.join(last)}, {', '.join(f'any({each})' for each in ends)} FROM {name}"
            f" WHERE 1{only} GROUP BY id HAVING max(added) >= toDateTime({since}) ORDER BY min(number), id"
        )
        names = ["id", *(other.get(each, each) for each in columns), *ends]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _only_sources(self) -> str:
        """A process has the name of its own machine, which in a container is not that of the one that ships."""
        if not self._only:
            return ""
        sources = ", ".join(quoted(each["source"]) for each in self.shipments())
        return f" AND source IN ({sources})" if sources else " AND 0"

    def dictionary(self, name: str, since: int) -> list[Drawn]:
        """Entries of a dictionary that came since."""
        columns = [column.name for column in DICTIONARIES[name].columns]
        rows = self._engine.rows(
            f"SELECT {', '.join(columns)} FROM {name} FINAL WHERE added >= toDateTime({since})"
        )
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        for row in found if name == "stacks" else ():
            row["frames"] = pack(f"<{len(row['frames'])}q", *row["frames"])
        return found

    def span(self, table: str, level: int) -> tuple[int, int]:
        """When the oldest and the newest window of a resolution begin."""
        row = self._engine.rows(
            f"SELECT min(t), max(t), count() FROM {table} WHERE resolution = {level}{self._only}"
        )[0]
        return (int(row[0]), int(row[1])) if row[2] else (0, 0)

    def windows(self, table: str, level: int, start: int, end: int) -> list[Drawn]:
        """Windows that begin from then to then, those of all machines added up."""
        return self._windows(table, level, f"t >= {max(0, start)} AND t < {min(end, 2**32 - 1)}")

    def windows_at(self, table: str, level: int, times: Collection[int]) -> list[Drawn]:
        """Windows that begin at these times."""
        return self._windows(table, level, f"t IN ({', '.join(map(str, times))})")

    def _windows(self, table: str, level: int, when: str) -> list[Drawn]:
        columns = WINDOWED[table].columns
        keys = [column.name for column in columns if not column.merged]
        merged = [column for column in columns if column.merged and column.merged != "histogram"]
        worst = "(greatest(cost_max_ns, count_max), transaction_id)"
        sums = [
            f"argMax({each.name}, {worst})" if each.merged == "worst" else f"{each.merged}({each.name})"
            for each in merged
        ]
        if table == "rollups":
            sums.append("sumMap(buckets, counts)")
        rows = self._engine.rows(
            f"SELECT {', '.join((*keys, *sums))} FROM {table} FINAL"
            f" WHERE resolution = {level} AND {when}{self._only} GROUP BY {', '.join(keys)}"
        )
        names = [*keys, *(each.name for each in merged), *(["histogram"] if table == "rollups" else [])]
        found = [dict(zip(names, row, strict=True)) for row in rows]
        for row in found if table == "rollups" else ():
            durations = Histogram()
            durations.fill(dict(zip(*row["histogram"], strict=True)))
            row["histogram"] = durations.to_bytes()
        return found

    def changes(self, since: int) -> Changes:
        """What came, or came again, since: asked for at once."""
        came = f"added >= toDateTime({since})"
        parts = ["SELECT 'now' AS name, toInt64(0) AS level, toInt64(toUInt32(now())) AS at"]
        parts += [
            f"SELECT '{name}', toInt64(resolution) AS level, toInt64(t) AS at FROM {name}"
            f" WHERE {came}{self._only} GROUP BY level, at"
            for name in WINDOWED
        ]
        parts += [
            f"SELECT '{name}', toInt64(0), toInt64(count()) FROM {name} WHERE {came}"
            for name in (*_CATALOGUES, *DICTIONARIES)
        ]
        parts.append(
            f"SELECT 'transactions', toInt64(0), intDiv(started_at, {_HOUR_NS}) AS at FROM transactions"
            f" WHERE {came}{self._only} GROUP BY at"
        )
        made = Changes(0, set(), {}, set())
        for name, level, at in self._engine.rows(" UNION ALL ".join(parts)):
            if name == "now":
                made = made._replace(now=int(at))
            elif name in WINDOWED:
                made.windows.setdefault((name, int(level)), []).append(int(at))
            elif name == "transactions":
                made.hours.add(int(at))
            elif at:
                made.names.add(name)
        return made

    def started(self) -> tuple[int, int]:
        """When the oldest and the newest transaction began."""
        row = self._engine.rows(
            f"SELECT min(started_at), max(started_at), count() FROM transactions WHERE 1{self._only}"
        )[0]
        return (int(row[0]), int(row[1])) if row[2] else (0, 0)

    def hourly(self, first: int, last: int) -> dict[int, int]:
        """How many transactions there are in each hour."""
        rows = self._engine.rows(
            f"SELECT intDiv(started_at, {_HOUR_NS}) AS hour, count() FROM transactions"
            f" WHERE started_at >= {first * _HOUR_NS} AND started_at < {last * _HOUR_NS}{self._only} GROUP BY hour"
        )
        return {int(row[0]): int(row[1]) for row in rows}

    def between(self, start: int, end: int) -> list[Drawn]:
        """All transactions that began from then to then."""
        return self._transactions(f"started_at >= {start} AND started_at < {end}")

    def remarkable(self, start: int, end: int, most: int) -> list[Drawn]:
        """The slowest and the newest failed ones of a stretch."""
        within = f"started_at >= {start} AND started_at < {end}"
        slowest = self._transactions(within, f"ORDER BY duration_ns DESC LIMIT {most}")
        failed = self._transactions(f"{within} AND failed = 1", f"ORDER BY started_at DESC LIMIT {most}")
        return [*slowest, *failed]

    def newest(self) -> list[Drawn]:
        """The newest, and the oldest one, which says since when there are any."""
        low, high = self.started()
        newest = self._transactions(
            f"started_at > {high - _DAY_NS}", f"ORDER BY started_at DESC LIMIT {_NEWEST}"
        )
        return [*newest, *self._transactions(f"started_at <= {low}")]

    def added(self, since: int, hours: Collection[int], most: int) -> list[Drawn]:
        """Those of these hours that came since, at most so many."""
        within = f"intDiv(started_at, {_HOUR_NS}) IN ({', '.join(map(str, hours))})"
        return self._transactions(f"added >= toDateTime({since}) AND {within}", f"LIMIT {most}")

    def picked(self, pick: Picked, far: Far, limit: int) -> list[Drawn]:
        """The first of an order for which all holds."""
        way = "DESC" if pick.descending else "ASC"
        return self._transactions(pick.where(far), f"ORDER BY {pick.column} {way}, id {way} LIMIT {limit}")

    def details(self) -> int:
        """Of how many transactions it is known what they did."""
        return int(self._engine.rows(f"SELECT count() FROM traces FINAL WHERE 1{self._only}")[0][0])

    def by_ids(self, ids: Collection[int]) -> list[Drawn]:
        """Single ones."""
        if not ids:
            return []
        low, high = _moment(min(ids)), _moment(max(ids) + (1 << _RANDOM_BITS))
        among = ", ".join(map(str, ids))
        return self._transactions(f"started_at >= {low} AND started_at < {high} AND id IN ({among})")

    def blobs(self, number: int, most: int, back: bool) -> dict[int, bytes]:
        """What a transaction did, packed, and those before it, or after it."""
        first = _id(_moment(number) - _DAY_NS) if back else number
        last = number if back else _id(_moment(number) + _DAY_NS)
        return self._blobs(
            f"transaction_id >= {first} AND transaction_id <= {last}"
            f" ORDER BY transaction_id {'DESC' if back else 'ASC'} LIMIT {most}"
        )

    def blobs_of(self, ids: Collection[int]) -> dict[int, bytes]:
        """What these did, packed."""
        return self._blobs(f"transaction_id IN ({', '.join(map(str, ids))})")

    def _blobs(self, where: str) -> dict[int, bytes]:
        rows = self._engine.rows(f"SELECT transaction_id, data FROM traces WHERE {where}", binary=("data",))
        return {int(row[0]): bytes(row[1]) for row in rows}

    def _transactions(self, where: str, rest: str = "") -> list[Drawn]:
        names = [column.name for column in TRANSACTIONS.columns]
        rows = self._engine.rows(
            f"SELECT {', '.join(names)} FROM transactions FINAL WHERE {where}{self._only} {rest}"
        )
        found = [dict(zip(names, row, strict=True)) for row in rows]
        traced = self._traced([row["id"] for row in found])
        for row in found:
            row["traced"] = row["id"] in traced
        return found

    def _traced(self, ids: Sequence[int]) -> set[int]:
        """Which of them have a blob."""
        if not ids:
            return set()
        among = f" AND transaction_id IN ({', '.join(map(str, ids))})" if len(ids) <= _AMONG else ""
        rows = self._engine.rows(
            "SELECT transaction_id FROM traces"
            f" WHERE transaction_id >= {min(ids)} AND transaction_id <= {max(ids)}{among}"
        )
        return {int(row[0]) for row in rows}


def _moment(number: int) -> int:
    return number >> _RANDOM_BITS << _UNIT_BITS


def _id(moment: int) -> int:
    return max(0, moment) >> _UNIT_BITS << _RANDOM_BITS
