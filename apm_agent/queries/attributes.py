"""What can be said of a single transaction, as attribute and value: what transactions are told apart by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.scope import Endpoint

#: The columns that `values_of` reads, of `transactions x`; the first three are id, duration and why its detail is kept.
COLUMNS = (
    "x.id, x.duration_ns, x.kept, x.endpoint_id, x.release_id, x.process_id, x.status, x.failed, x.error, x.method,"
    " x.queries, x.db_ns, x.http_ns, x.template_ns, x.cache_ns, x.wait_ns, x.gc_ns, x.queue_ns,"
    " x.rss_after - x.rss_before, x.context"
)
_KINDS = ("db", "http", "template", "cache", "wait", "gc")

#: Which of several that say the same is named first: what one can act on.
_ORDER = (
    "endpoint", "error", "status", "release", "queries", "most time in", "memory kept", "waited to begin", "worker",
    "host", "service", "kind", "method",
)  # fmt: skip

#: A kind of time dominates from this share on; a wait to begin is told from this share of the duration on.
_MOSTLY, _WAITED = 0.5, 0.1
_MANY_QUERIES = ((100, "over 100"), (20, "21 to 100"), (5, "6 to 20"), (0, "1 to 5"))
_MUCH_MEMORY = 2**20
_LONGEST = 80

#: An attribute and its value; the value of `endpoint` is an id.
Value = tuple[str, str]


class Catalogue(NamedTuple):
    """The names behind the ids in a row."""

    endpoints: dict[str, Endpoint]
    releases: dict[int, str]
    workers: dict[int, tuple[str, int]]


def catalogue_of(connection: Connection, endpoints: dict[int, Endpoint]) -> Catalogue:
    """The names of endpoints, releases and processes."""
    releases = connection.rows("SELECT id, version FROM releases WHERE version != ''")
    workers = connection.rows("SELECT id, host, pid FROM processes")
    return Catalogue(
        {str(key): each for key, each in endpoints.items()},
        {row[0]: row[1] for row in releases},
        {row[0]: (row[1], row[2]) for row in workers},
    )


def order_of(attribute: str) -> int:
    """The rank of an attribute among those that say the same; what the application named itself comes last."""
    return _ORDER.index(attribute) if attribute in _ORDER else len(_ORDER)


def values_of(row: Row, known: Catalogue) -> Iterator[Value]:
    """Every attribute that is known of one transaction."""
    _, duration, _, endpoint_id, release, process, status, failed, error, method, queries = row[:11]
    endpoint = known.endpoints.get(str(endpoint_id))
    if endpoint is not None:
        yield "endpoint", str(endpoint_id)
        yield "service", endpoint.service
        yield "kind", endpoint.kind
    if method:
        yield "method", method
    if status is not None:
        yield "status", str(status)
    elif failed:
        yield "status", "failed"
    if error:
        yield "error", error.partition(":")[0]
    if release in known.releases:
        yield "release", known.releases[release]
    if process in known.workers:
        host, pid = known.workers[process]
        yield "host", host
        yield "worker", f"{host}:{pid}"
    yield "most time in", _dominant(duration, row[11:17])
    yield "queries", next((words for least, words in _MANY_QUERIES if queries > least), "none")
    if row[17] and row[17] >= _WAITED * duration:
        yield "waited to begin", "10 % of its time or more"
    if row[18] is not None and row[18] >= _MUCH_MEMORY:
        yield "memory kept", "1 MB or more"
    if row[19]:
        yield from _context(row[19])


def _dominant(duration: int, spans: Row) -> str:
    kind, most = max(zip(_KINDS, spans, strict=True), key=lambda each: each[1])
    if most >= _MOSTLY * duration:
        return kind
    return "python" if duration - sum(spans) >= _MOSTLY * duration else "nothing by itself"


def _context(text: str) -> Iterator[Value]:
    """Key and value of what the application said; what is not JSON of a mapping says nothing."""
    try:
        said = json.loads(text)
    except ValueError:
        return
    if isinstance(said, dict):
        for key, value in said.items():
            if isinstance(value, (str, int, float, bool)):
                yield f"context {key}"[:_LONGEST], str(value)[:_LONGEST]
