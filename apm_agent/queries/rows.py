"""A transaction as a row of a table, wherever one is listed."""

from __future__ import annotations

from typing import Any

from apm_agent.queries.connection import Row
from apm_agent.queries.scope import Endpoint
from apm_agent.queries.units import hex_id, kb, kinds, millis, ms

COLUMNS = (
    "x.id, x.endpoint_id, x.started_at, x.duration_ns, x.status, x.failed, x.error, x.method, x.path, "
    "x.cpu_ns,"
    " x.queue_ns, x.first_byte_ns, x.rss_before, x.rss_after, x.overlap, x.queries, x.db_ns, x.http_ns, "
    "x.template_ns,"
    " x.cache_ns, x.wait_ns, x.gc_ns, x.kept, r.version, p.host, p.pid,"
    " EXISTS (SELECT 1 FROM traces WHERE transaction_id = x.id)"
)
TABLES = (
    "transactions x LEFT JOIN releases r ON r.id = x.release_id LEFT JOIN processes p ON p.id = x.process_id"
)


def listed(row: Row, endpoints: dict[int, Endpoint]) -> dict[str, Any]:
    """The row of `COLUMNS` as the API writes it."""
    (number, endpoint_id, started, duration, status, failed, error, method, path, cpu, queue, _first_byte) = (
        row[:12]
    )
    before, after, overlap, queries = row[12:16]
    kept, version, host, pid, detail = row[22:27]
    endpoint = endpoints.get(endpoint_id) or Endpoint(endpoint_id, "", "", "(forgotten)", None)
    return {
        "id": hex_id(number),
        "t": started / 1e9,
        "name": endpoint.name,
        "kind": endpoint.kind,
        "service": endpoint.service,
        "method": method or endpoint.method,
        "route": endpoint.route,
        "path": path,
        "duration_ms": millis(duration),
        "status": status,
        "failed": bool(failed),
        "error": error.partition(":")[0] if error else None,
        "kinds": kinds(duration, row[16:22], queue),
        "queries": queries,
        "cpu_ms": ms(cpu),
        "rss_kb": kb(after - before) if before is not None and after is not None else None,
        "rss_shared": overlap > 0,
        "release": version or None,
        "host": host or "",
        "pid": pid or 0,
        "kept": kept,
        "has_detail": bool(detail),
    }
