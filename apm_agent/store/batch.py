"""A batch of records as the rows it becomes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from apm_agent.model.record import Record
from apm_agent.store import detail
from apm_agent.store.dictionaries import Dictionaries
from apm_agent.store.many import insert
from apm_agent.store.rollups import Tally

_DAY = 86_400 * 10**9
_TRANSACTION = (
    "INSERT INTO transactions "
    "(id, endpoint_id, release_id, process_id, started_at, duration_ns, status, failed, error, method, path, "
    "cpu_ns, queue_ns, first_byte_ns, rss_before, rss_after, overlap, queries, db_ns, "
    "http_ns, template_ns, cache_ns, wait_ns, gc_ns, kept, share, context) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_TRACE = "INSERT INTO traces (transaction_id, data) VALUES (?,?)"
_SEEN = "UPDATE processes SET last_seen = ?, rss = coalesce(?, rss), state = coalesce(?, state) WHERE id = ?"
_LONGEST_CONTEXT = 4_000
_plain = json.JSONEncoder(separators=(",", ":"), default=str).encode


class Batch:
    """Encodes on creation, without the file; `write` puts all of it in, inside the caller's transaction."""

    def __init__(self, records: Sequence[Record], ids: Dictionaries, now: int) -> None:
        ids.begin(now // _DAY)
        self._records = records
        self._ids = ids
        self._now = now
        self._tally = Tally(ids)
        self._traces: list[tuple[int, bytes]] = []
        for record in records:
            self._tally.add(record)
            if record.kept is not None:
                self._traces.append((record.id, detail.pack(record, ids)))

    def write(self, connection: sqlite3.Connection, state: dict[str, Any] | None) -> None:
        """Insert rows, blobs and dictionary entries; add to the rollups; say that this process is alive."""
        ids, records = self._ids, self._records
        ids.introduce(connection, self._now)
        if records:
            ids.write(connection)
            endpoints = {
                (kind, name): ids.endpoint(connection, kind, name, view)
                for (kind, name), view in self._tally.views.items()
            }
            process, release = ids.process_id, ids.release_id
            insert(
                connection,
                _TRANSACTION,
                [_row(r, endpoints[r.kind, r.name], release, process) for r in records],
            )
            insert(connection, _TRACE, self._traces)
            self._tally.write(connection, endpoints, release)
        if state is not None:
            rss = state.get("rss")
            shown = _plain({key: value for key, value in state.items() if key != "rss"})
            if not connection.execute(_SEEN, (self._now, rss, shown, ids.process_id)).rowcount:
                ids.process_id = 0  # pruned while this process was idle for days: introduce it again


def _row(record: Record, endpoint: int, release: int, process: int) -> tuple[Any, ...]:
    times, failure = record.times.get, record.failure
    return (
        record.id, endpoint, release, process, record.started_at, record.duration_ns, record.status,
        record.failed, None if failure is None else failure.type, record.method, record.path,
        record.cpu_ns, record.queue_ns, record.first_byte_ns, record.rss_before, record.rss_after,
        record.overlap, record.queries,
        times("db", 0), times("http", 0), times("template", 0), times("cache", 0), times("wait", 0),
        times("gc", 0), record.kept, record.share,
        _context(record.context) if record.context else None,
    )  # fmt: skip


def _context(context: dict[str, Any]) -> str:
    """As JSON for searching; what makes it too long is left out here, and is whole in the blob."""
    text = _plain(context)
    while len(text) > _LONGEST_CONTEXT:
        context = dict(list(context.items())[: len(context) // 2])
        text = _plain(context)
    return text
