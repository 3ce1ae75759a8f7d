"""A local file as if one of its machines had written it alone: for a store that several share.

Transactions and processes tell their machine; the rollups of one machine are added up from its transactions, window
by window, as a statement reads them. What the file counts for all machines together, `left_out` says in words.
"""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Sequence
from typing import Any

from apm_agent.model.histogram import Histogram
from apm_agent.queries.needs import END, Oldest, Windows, needs

_SUMS = (
    "count(*) AS count, sum(failed) AS errors, sum(duration_ns) AS duration_ns, max(duration_ns) AS duration_max_ns,"
    " ifnull(sum(cpu_ns), 0) AS cpu_ns, count(cpu_ns) AS cpu_count, ifnull(sum(queue_ns), 0) AS queue_ns,"
    " count(queue_ns) AS queue_count, ifnull(sum({kept}), 0) AS rss_bytes, count({kept}) AS rss_count,"
    " sum(queries) AS queries, sum(db_ns) AS db_ns, sum(http_ns) AS http_ns, sum(template_ns) AS template_ns,"
    " sum(cache_ns) AS cache_ns, sum(wait_ns) AS wait_ns, sum(gc_ns) AS gc_ns, histogram_of(duration_ns) AS histogram"
)
#: What a transaction left in memory, where that is its own.
_KEPT = "CASE WHEN overlap = 0 THEN rss_after - rss_before END"
_ROLLUPS = (
    "SELECT ? AS resolution, started_at / 1000000000 / ? * ? AS t, endpoint_id, release_id,"
    f" {_SUMS.format(kept=_KEPT)} FROM main.transactions WHERE started_at >= ? AND started_at < ?"
    " AND process_id IN (SELECT id FROM temp.processes) GROUP BY 2, 3, 4"
)
_SECOND = 10**9
_LEVELS = (60, 3600, 86_400)
_TOGETHER = "profiles, queries and causes are of all hosts, because one file counts them together"


class _Durations:
    """The aggregate `histogram_of`."""

    def __init__(self) -> None:
        self._histogram = Histogram()

    def step(self, ns: int) -> None:
        """One more."""
        self._histogram.add(ns)

    def finalize(self) -> bytes:
        """As rollups keep them."""
        return self._histogram.to_bytes()


class Narrowed:
    """What stands before the tables of a file in one connection."""

    def __init__(self, raw: sqlite3.Connection, host: str) -> None:
        self._raw = raw
        self._here: set[tuple[int, int, int]] = set()
        raw.create_aggregate("histogram_of", 1, _Durations)  # type: ignore[arg-type]
        raw.execute("PRAGMA temp_store = MEMORY")
        name = host.replace("'", "''")
        raw.execute(f"CREATE TEMP VIEW processes AS SELECT * FROM main.processes WHERE host = '{name}'")
        raw.execute(
            "CREATE TEMP VIEW transactions AS SELECT * FROM main.transactions"
            " WHERE process_id IN (SELECT id FROM temp.processes)"
        )
        raw.execute("CREATE TEMP TABLE rollups AS SELECT * FROM main.rollups WHERE 0")
        raw.execute("CREATE UNIQUE INDEX temp.windows ON rollups (resolution, t, endpoint_id, release_id)")
        oldest = raw.execute("SELECT min(started_at) FROM main.transactions").fetchone()[0]
        self._since = (oldest or 0) // _SECOND

    def provide(self, sql: str, parameters: Sequence[Any]) -> None:
        """Add up what a statement reads."""
        for need in needs(sql, parameters):
            if isinstance(need, Oldest) and need.table == "rollups":
                self._add_up(need.level, 0, END)  # the first is among all
            elif isinstance(need, Windows) and need.table == "rollups":
                for level in (need.level,) if need.level else _LEVELS:
                    self._add_up(level, need.start, need.end)

    def left_out(self, start: float) -> str:
        """In words, what of answers about a time from `start` on is not of the machine alone."""
        if start >= self._since or not self._older(int(start)):
            return _TOGETHER
        since = datetime.datetime.fromtimestamp(self._since, datetime.timezone.utc)
        return f"{_TOGETHER}; of a host nothing is known before {since:%Y-%m-%d %H:%M} UTC, when transactions begin"

    def _add_up(self, level: int, start: int, end: int) -> None:
        low, high = start // level * level, min(END, -(-end // level) * level)
        if any(each == level and a <= low and high <= b for each, a, b in self._here):
            return
        self._raw.execute(
            f"INSERT OR REPLACE INTO temp.rollups ({self._columns()}) SELECT {self._columns()} FROM ({_ROLLUPS})",
            (level, level, level, low * _SECOND, high * _SECOND),
        )
        self._here.add((level, low, high))

    def _columns(self) -> str:
        return ", ".join(row[1] for row in self._raw.execute("PRAGMA main.table_info(rollups)"))

    def _older(self, start: int) -> bool:
        """Whether the file counted something before its oldest transaction."""
        found = self._raw.execute(
            "SELECT 1 FROM main.rollups WHERE resolution = ? AND t >= ? AND t < ? LIMIT 1",
            (_LEVELS[0], start, self._since - _LEVELS[0]),
        )
        return found.fetchone() is not None
