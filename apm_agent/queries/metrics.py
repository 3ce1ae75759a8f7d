"""What a scraper of metrics asks: the day's sums by endpoint so far, and how the processes are just now."""

from __future__ import annotations

import json
import os
import time
from typing import NamedTuple

from apm_agent.model.histogram import SCALE, Histogram
from apm_agent.model.transaction import TIMED_KINDS
from apm_agent.queries.connection import Connection

DAY = 86400
#: A process not heard of for so long has ended, or nothing runs in it.
_ALIVE_NS = 120 * 10**9
#: Bounds of the histogram: powers of two of nanoseconds from 1 ms to 69 s. At these our buckets end too, so that what
#: is counted below a bound is exact.
_OCTAVES = range(20, 37)

SPANS = ("db", "http", "template", "cache", "wait", "gc")


class EndpointDay(NamedTuple):
    """An endpoint since midnight (UTC). `below` counts durations up to each of `BOUNDS`, None where none are timed."""

    service: str
    kind: str
    name: str
    calls: int
    errors: int
    duration_ns: int
    queries: int
    spans_ns: tuple[int, ...]
    below: tuple[int, ...] | None


class Alive(NamedTuple):
    """A process heard of lately: resident bytes, and transactions it dropped since its start; None: it did not say."""

    service: str
    host: str
    pid: int
    rss: int | None
    dropped: int | None


#: In nanoseconds.
BOUNDS = tuple(1 << octave for octave in _OCTAVES)


def endpoints_today(connection: Connection) -> list[EndpointDay]:
    """Every endpoint with a transaction that began today, from the rollups of days: one row each and release."""
    now = int(time.time())
    spans = ", ".join(f"r.{kind}_ns" for kind in SPANS)
    rows = connection.rows(
        "SELECT e.service, e.kind, e.name, r.count, r.errors, r.duration_ns, r.queries, r.histogram,"
        f" {spans} FROM rollups r JOIN endpoints e ON e.id = r.endpoint_id"
        " WHERE r.resolution = ? AND r.t = ? ORDER BY e.service, e.kind, e.name",
        (DAY, now - now % DAY),
    )
    found: dict[tuple[str, str, str], list[int]] = {}
    durations: dict[tuple[str, str, str], Histogram] = {}
    for service, kind, name, count, errors, duration_ns, queries, histogram, *spans_ns in rows:
        key = (service, kind, name)
        sums = (count, errors, duration_ns, queries, *spans_ns)
        found[key] = [a + b for a, b in zip(found.get(key, [0] * len(sums)), sums, strict=True)]
        durations.setdefault(key, Histogram()).merge_bytes(histogram)
    return [
        EndpointDay(
            service,
            kind,
            name,
            calls,
            errors,
            duration_ns,
            queries,
            tuple(spans_ns),
            _below(durations[service, kind, name]) if kind in TIMED_KINDS else None,
        )
        for (service, kind, name), (calls, errors, duration_ns, queries, *spans_ns) in found.items()
    ]


def _below(durations: Histogram) -> tuple[int, ...]:
    counts = durations.counts
    return tuple(
        sum(count for bucket, count in counts.items() if bucket < octave << SCALE) for octave in _OCTAVES
    )


def alive(connection: Connection) -> list[Alive]:
    """The processes heard of in the last two minutes."""
    since = time.time_ns() - _ALIVE_NS
    rows = connection.rows(
        "SELECT service, host, pid, rss, state FROM processes WHERE last_seen >= ? ORDER BY service, host, pid",
        (since,),
    )
    return [Alive(service, host, pid, rss, _dropped(state)) for service, host, pid, rss, state in rows]


def _dropped(state: str | None) -> int | None:
    try:
        said = json.loads(state or "{}")["recorder"]["dropped"]
    except (ValueError, KeyError, TypeError):
        return None
    return said if type(said) is int else None


def store_bytes(connection: Connection) -> int:
    """Bytes of the store's file and what is not yet merged into it."""
    return sum(
        os.stat(path).st_size for path in (connection.path, f"{connection.path}-wal") if os.path.exists(path)
    )
