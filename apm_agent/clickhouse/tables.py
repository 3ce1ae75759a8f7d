"""The tables in ClickHouse: those of the local store, with the machine and the service in each of them.

A row may come any number of times: each table keeps the newest `version` of a key, so that a repeated insert
changes nothing. Rollups are kept as each local store (`source`) has them, and added up when they are read. Ids of
endpoints, releases and processes are hashes of what they name, the same from everywhere.
"""

from __future__ import annotations

from typing import NamedTuple

#: The version of these tables; additive changes only.
VERSION = 1
_SECONDS = 10**9

#: Days that things are kept: single transactions; windows of a minute, an hour, a day.
KEPT_TRANSACTIONS = 30
KEPT_WINDOWS = (14, 100, 800)


class Column(NamedTuple):
    """A column: its type there, and how rows of several sources become one (a function, or "" for a key)."""

    name: str
    type: str = "Int64"
    merged: str = ""


class Table(NamedTuple):
    """A table: its columns, what tells its rows apart, and until when a row is kept (in SQL)."""

    name: str
    columns: tuple[Column, ...]
    key: str
    until: str
    partition: str = ""
    #: rows between two marks of the index; fewer where a row is large and one is looked for
    granule: int = 8192

    @property
    def names(self) -> list[str]:
        """Columns in the order of inserts, those of every table last."""
        return [*(column.name for column in self.columns), *(column.name for column in COMMON)]


COMMON = (
    Column("service", "String"),
    Column("host", "String"),
    Column("source", "String"),
    Column("version", "UInt64"),
)


def _columns(names: str, kind: str = "Int64", merged: str = "") -> tuple[Column, ...]:
    return tuple(Column(name, kind, merged) for name in names.split())


def _windowed(name: str, key: str, columns: tuple[Column, ...], texts: str = "") -> Table:
    place = (*_columns("resolution t", "UInt32"), *_columns("endpoint_id release_id"))
    own = tuple(Column(each, "String" if each in texts.split() else "Int64") for each in key.split())
    minutes, hours, days = KEPT_WINDOWS
    return Table(
        name,
        (*place, *own, *columns),
        ", ".join(("resolution", "t", "endpoint_id", "release_id", *key.split(), "source")),
        f"toDateTime(t) + toIntervalDay(multiIf(resolution < 3600, {minutes}, resolution < 86400, {hours}, {days}))",
        "toYYYYMM(toDateTime(t))",
    )


_SUMS = (
    "count errors duration_ns cpu_ns cpu_count queue_ns queue_count rss_bytes rss_count queries db_ns http_ns"
    " template_ns cache_ns wait_ns gc_ns"
)

ROLLUPS = _windowed(
    "rollups",
    "",
    (
        *_columns(_SUMS, merged="sum"),
        Column("duration_max_ns", merged="max"),
        Column("buckets", "Array(UInt16)", "histogram"),
        Column("counts", "Array(UInt64)", "histogram"),
    ),
)
STATEMENT_ROLLUPS = _windowed(
    "statement_rollups",
    "statement_id frame_id",
    (*_columns("count duration_ns transactions", merged="sum"), Column("duration_max_ns", merged="max")),
)
INSIGHT_ROLLUPS = _windowed(
    "insight_rollups",
    "kind statement_id frame_id",
    (
        *_columns("transactions count cost_ns cost_bytes", merged="sum"),
        *_columns("count_max cost_max_ns", merged="max"),
        Column("text", "String", "worst"),
        Column("transaction_id", merged="worst"),
    ),
    "kind",
)
PROFILES = _windowed(
    "profiles", "stack_id state", _columns("count weight_ns cpu_ns clocked_ns", merged="sum")
)
WINDOWED = {table.name: table for table in (ROLLUPS, STATEMENT_ROLLUPS, INSIGHT_ROLLUPS, PROFILES)}

_AGE = f"toDateTime(intDiv({{}}, {_SECONDS})) + toIntervalDay({KEPT_TRANSACTIONS})"
_DAY = "toDate(toDateTime(intDiv({}, 1000000000)))"
TRANSACTIONS = Table(
    "transactions",
    (
        *_columns("id endpoint_id release_id process_id started_at duration_ns"),
        Column("status", "Nullable(Int64)"),
        Column("failed"),
        *_columns("error method path", "Nullable(String)"),
        *_columns("cpu_ns queue_ns first_byte_ns rss_before rss_after", "Nullable(Int64)"),
        *_columns("overlap queries db_ns http_ns template_ns cache_ns wait_ns gc_ns"),
        Column("kept", "Nullable(String)"),
        Column("share", "Float64"),
        Column("context", "Nullable(String)"),
    ),
    "started_at, id, source",
    _AGE.format("started_at"),
    _DAY.format("started_at"),
)
TRACES = Table(
    "traces",
    (*_columns("transaction_id started_at"), Column("data", "String")),
    "transaction_id, source",
    _AGE.format("started_at"),
    _DAY.format("started_at"),
    256,
)
_FOREVER = f"toDateTime(intDiv(version, {_SECONDS})) + toIntervalDay({KEPT_WINDOWS[2]})"
ENDPOINTS = Table(
    "endpoints",
    (
        *_columns("id number"),
        Column("kind", "String"),
        Column("name", "String"),
        Column("view", "Nullable(String)"),
    ),
    "id, source",
    _FOREVER,
)
RELEASES = Table(
    "releases",
    (*_columns("id number"), Column("release", "String"), Column("first_seen")),
    "id, source",
    _FOREVER,
)
PROCESSES = Table(
    "processes",
    (
        *_columns("id number release_id pid started_at last_seen"),
        *_columns("environment python server app_root", "String"),
        Column("rss", "Nullable(Int64)"),
        Column("state", "Nullable(String)"),
    ),
    "id, source",
    _AGE.format("last_seen"),
)
STATEMENTS = Table("statements", (*_columns("id day"), Column("text", "String")), "id", _FOREVER)
FRAMES = Table(
    "frames",
    (*_columns("id line day"), *_columns("function file category path", "String")),
    "id",
    _FOREVER,
)
STACKS = Table("stacks", (*_columns("id day"), Column("frames", "Array(Int64)")), "id", _FOREVER)
DICTIONARIES = {table.name: table for table in (STATEMENTS, FRAMES, STACKS)}
#: One row a shipper: how far it is, and what it lost.
SHIPMENTS = Table(
    "shipments",
    (
        *_columns("at shipped dropped behind_ns schema"),
        Column("ddl", "String"),
        Column("told", "String"),
    ),
    "source",
    _FOREVER,
)

TABLES = (
    *WINDOWED.values(), TRANSACTIONS, TRACES, ENDPOINTS, RELEASES, PROCESSES, *DICTIONARIES.values(), SHIPMENTS,
)  # fmt: skip

#: The version of the tables is kept here.
META = (
    "CREATE TABLE IF NOT EXISTS meta (key String, value String, version UInt64)"
    " ENGINE = ReplacingMergeTree(version) ORDER BY key"
)

#: The first server that forgets by itself, a row at a time.
_FORGETS = (19, 6)


def ddl(table: Table, server: tuple[int, ...]) -> str:
    """How a table is made; a server too old to forget by itself keeps its rows."""
    columns = [f"{name} {kind}" for name, kind, _ in (*table.columns, *COMMON)]
    columns.append("added DateTime DEFAULT now()")
    made = [
        f"CREATE TABLE IF NOT EXISTS {table.name} ({', '.join(columns)})",
        "ENGINE = ReplacingMergeTree(version)",
    ]
    if table.partition:
        made.append(f"PARTITION BY {table.partition}")
    made.append(f"ORDER BY ({table.key})")
    if server >= _FORGETS:
        made.append(f"TTL {table.until}")
    made.append(f"SETTINGS index_granularity = {table.granule}")
    return " ".join(made)
