"""Counts a batch of records up into the rollups of its minutes, hours and days."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from apm_agent.model.histogram import Histogram
from apm_agent.model.record import Record
from apm_agent.store.dictionaries import Dictionaries
from apm_agent.store.many import insert
from apm_agent.store.schema import PROFILES, ROLLUPS

#: (kind, name) of an endpoint
Endpoint = tuple[str, str]
Key = tuple[Any, ...]

_SUMS = (
    "count", "errors", "duration_ns", "cpu_ns", "cpu_count", "queue_ns", "queue_count", "rss_bytes",
    "rss_count", "queries", "db_ns", "http_ns", "template_ns", "cache_ns", "wait_ns", "gc_ns",
)  # fmt: skip
_KINDS = ("db", "http", "template", "cache", "wait", "gc")


def _upsert(table: str, key: str, sums: Iterable[str], others: dict[str, str]) -> str:
    updates = [f"{column} = {column} + excluded.{column}" for column in sums]
    updates += [f"{column} = {how}" for column, how in others.items()]
    columns = [*key.split(", "), *sums, *others]
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({','.join('?' * len(columns))}) "
        f"ON CONFLICT ({key}) DO UPDATE SET {', '.join(updates)}"
    )


_PLACE = "resolution, t, endpoint_id, release_id"
_ROLLUP = _upsert(
    "rollups",
    _PLACE,
    _SUMS,
    {
        "duration_max_ns": "max(duration_max_ns, excluded.duration_max_ns)",
        "histogram": "histogram_merge(histogram, excluded.histogram)",
    },
)
_STATEMENT = _upsert(
    "statement_rollups",
    f"{_PLACE}, statement_id, frame_id",
    ("count", "duration_ns", "transactions"),
    {"duration_max_ns": "max(duration_max_ns, excluded.duration_max_ns)"},
)
#: Of two that were as bad the later one, by its id, so that it is the same in whichever order they are written.
_WORSE = (
    "CASE WHEN (max(excluded.cost_max_ns, excluded.count_max), excluded.transaction_id)"
    " >= (max(cost_max_ns, count_max), transaction_id) THEN excluded."
)
_INSIGHT = _upsert(
    "insight_rollups",
    f"{_PLACE}, kind, statement_id, frame_id",
    ("transactions", "count", "cost_ns", "cost_bytes"),
    {
        # The words and the example are those of the worst transaction.
        "text": f"{_WORSE}text ELSE text END",
        "transaction_id": f"{_WORSE}transaction_id ELSE transaction_id END",
        "count_max": "max(count_max, excluded.count_max)",
        "cost_max_ns": "max(cost_max_ns, excluded.cost_max_ns)",
    },
)
_PROFILE = _upsert(
    "profiles", f"{_PLACE}, stack_id, state", ("count", "weight_ns", "cpu_ns", "clocked_ns"), {}
)


class Tally:
    """Sums of a batch at the finest resolution; `write` adds them to every level of every table."""

    def __init__(self, ids: Dictionaries) -> None:
        self._ids = ids
        self.views: dict[Endpoint, str | None] = {}
        self._rollups: dict[tuple[int, Endpoint], list[Any]] = {}
        self._statements: dict[Key, list[Any]] = {}
        self._insights: dict[Key, list[Any]] = {}
        self._profiles: dict[Key, list[Any]] = {}

    def add(self, record: Record) -> None:
        """Count one record."""
        seconds = record.started_at // 10**9
        minute = seconds - seconds % ROLLUPS[0]
        endpoint = (record.kind, record.name)
        if record.view or endpoint not in self.views:
            self.views[endpoint] = record.view
        self._count(minute, endpoint, record)
        if record.spans:
            self._count_statements(minute, endpoint, record)
        if record.insights:
            self._count_insights(minute, endpoint, record)
        if record.samples or record.weights:
            self._count_stacks(seconds - seconds % PROFILES[0], endpoint, record)

    def _count(self, minute: int, endpoint: Endpoint, record: Record) -> None:
        cell = self._rollups.get((minute, endpoint))
        if cell is None:
            cell = self._rollups[minute, endpoint] = [0] * (len(_SUMS) + 1) + [Histogram()]
        duration, kept, times = record.duration_ns, record.rss_kept, record.times
        cell[0] += 1
        cell[1] += record.failed
        cell[2] += duration
        if record.cpu_ns is not None:
            cell[3] += record.cpu_ns
            cell[4] += 1
        if record.queue_ns is not None:
            cell[5] += record.queue_ns
            cell[6] += 1
        if kept is not None:
            cell[7] += kept
            cell[8] += 1
        cell[9] += record.queries
        for at, kind in enumerate(_KINDS, 10):
            if kind in times:
                cell[at] += times[kind]
        cell[16] = max(cell[16], duration)
        cell[17].add(duration)

    def _count_statements(self, minute: int, endpoint: Endpoint, record: Record) -> None:
        own: set[Key] = set()
        statement, frame, cells = self._ids.statement, self._ids.frame, self._statements
        for span in record.spans:
            if not span.statement:
                continue
            key = (minute, endpoint, statement(span.statement), frame(span.where))
            cell = cells.get(key)
            if cell is None:
                cell = cells[key] = [0, 0, 0, 0]
            cell[0] += 1
            cell[1] += span.duration_ns
            cell[3] = max(cell[3], span.duration_ns)
            if key not in own:
                own.add(key)
                cell[2] += 1

    def _count_insights(self, minute: int, endpoint: Endpoint, record: Record) -> None:
        for found in record.insights:
            statement, frame = self._ids.statement(found.statement), self._ids.frame(found.where)
            _add_insight(
                self._insights,
                (minute, endpoint, found.kind, statement, frame),
                [
                    1,
                    found.count,
                    found.cost_ns,
                    found.cost_bytes,
                    found.text,
                    record.id,
                    found.count,
                    found.cost_ns,
                ],
            )

    def _count_stacks(self, window: int, endpoint: Endpoint, record: Record) -> None:
        stack, cells = self._ids.stack, self._profiles
        for sample in record.samples:
            key = (window, endpoint, stack(sample.stack), sample.state)
            cell = cells.get(key)
            if cell is None:
                cell = cells[key] = [0, 0, 0, 0]
            weight = sample.weight_ns + record.beyond_ns
            cell[0] += 1
            cell[1] += weight
            if sample.cpu_ns is not None:
                cell[2] += sample.cpu_ns + record.beyond_cpu_ns
                cell[3] += weight
        for (seen, state), ns in record.weights.items():
            cell = cells.setdefault((window, endpoint, stack(seen), state), [0, 0, 0, 0])
            cpu, known = record.clocked.get((seen, state), (0, 0))
            cell[1] += ns
            cell[2] += cpu
            cell[3] += known

    def write(self, connection: sqlite3.Connection, endpoints: dict[Endpoint, int], release: int) -> None:
        """Add the sums to the file, inside the caller's transaction."""

        def put(
            sql: str, levels: tuple[int, ...], cells: dict[Key, list[Any]], add: Callable[..., None]
        ) -> None:
            if not cells:
                return
            rows: list[tuple[Any, ...]] = []
            for level in levels:
                if level != levels[0]:
                    cells = _coarser(cells, level, add)
                rows += [
                    (level, t, endpoints[endpoint], release, *rest, *_columns(cell))
                    for (t, endpoint, *rest), cell in cells.items()
                ]
            insert(connection, sql, rows)

        put(_ROLLUP, ROLLUPS, self._rollups, _add_rollup)
        put(_STATEMENT, ROLLUPS, self._statements, _add_statement)
        put(_INSIGHT, ROLLUPS, self._insights, _add_insight)
        put(_PROFILE, PROFILES, self._profiles, _add_sums)


def _columns(cell: list[Any]) -> list[Any]:
    return [*cell[:-1], cell[-1].to_bytes()] if isinstance(cell[-1], Histogram) else cell


def _coarser(
    cells: dict[Key, list[Any]], level: int, add: Callable[[dict[Key, list[Any]], Key, list[Any]], None]
) -> dict[Key, list[Any]]:
    made: dict[Key, list[Any]] = {}
    for (t, *rest), cell in cells.items():
        add(made, (t - t % level, *rest), cell)
    return made


def _add_sums(cells: dict[Key, list[Any]], key: Key, values: list[Any]) -> None:
    cell = cells.get(key)
    if cell is None:
        cells[key] = values[:]
        return
    for at, value in enumerate(values):
        cell[at] += value


def _add_rollup(cells: dict[Key, list[Any]], key: Key, values: list[Any]) -> None:
    cell = cells.get(key)
    if cell is None:
        cell = cells[key] = [*values[:-1], Histogram()]
    else:
        for at, value in enumerate(values[:16]):
            cell[at] += value
        cell[16] = max(cell[16], values[16])
    cell[17].merge(values[17])


def _add_statement(cells: dict[Key, list[Any]], key: Key, values: list[Any]) -> None:
    cell = cells.get(key)
    if cell is None:
        cells[key] = values[:]
        return
    for at in range(3):
        cell[at] += values[at]
    cell[3] = max(cell[3], values[3])


def _add_insight(cells: dict[Key, list[Any]], key: Key, values: list[Any]) -> None:
    cell = cells.get(key)
    if cell is None:
        cells[key] = values[:]
        return
    if (max(values[6:]), values[5]) >= (max(cell[6:]), cell[5]):
        cell[4:6] = values[4:6]
    for at in range(4):
        cell[at] += values[at]
    cell[6], cell[7] = max(cell[6], values[6]), max(cell[7], values[7])
