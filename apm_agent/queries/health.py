"""Is the agent itself well: what it costs, what it lost, what it watches."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from typing import Any

from apm_agent.clickhouse import status
from apm_agent.model.scrub import without_login
from apm_agent.queries import health_checks
from apm_agent.queries.connection import SCHEMA, Connection
from apm_agent.queries.health_kept import kept, privacy
from apm_agent.queries.units import unix

_MOST_PROCESSES = 64
#: A process not heard of for a day is history.
_RECENT = 86400 * 10**9
#: Seconds: one not heard of for so long has ended or is idle; nobody waits longer than so for a write.
_LATELY, _LONGEST_FLUSH = 600.0, 30.0

_PARTS: dict[str, Any] = {
    "sampler": None, "recorder": None, "writer": None, "overhead": None,
    "instruments": [], "contained": [], "settings": {},
}  # fmt: skip


def health(connection: Connection, url: str, version: str) -> dict[str, Any]:
    """The store's figures, each process's own, what is wrong with either, and what is kept of people."""
    processes = _processes(connection)
    store = _store(connection, without_login(url), processes)
    return {
        "agent": {"version": version, "schema": _schema(connection), "reads": SCHEMA},
        "dashboard": {
            "python": sys.version.split()[0],
            "sqlite": sqlite3.sqlite_version,
            "werkzeug": health_checks.installed("werkzeug"),
            "host": os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", ""),
            "pid": os.getpid(),
        },
        "store": store,
        "cost": _cost(processes),
        "checks": [each._asdict() for each in health_checks.here(connection, store, processes)],
        "elsewhere": [{"what": what, "detail": detail} for what, detail in health_checks.ELSEWHERE],
        "unused": health_checks.unused(processes),
        "unused_in": "application" if _is_one_of(processes) else "dashboard",
        "privacy": privacy(connection),
        "processes": processes,
    }


def written_at(connection: Connection) -> float | None:
    """When a process last wrote."""
    row = connection.row("SELECT max(last_seen) FROM processes")
    newest = connection.row("SELECT max(started_at) FROM transactions")
    return unix(max((each[0] for each in (row, newest) if each and each[0]), default=None))


def flush_interval(connection: Connection) -> float:
    """The longest time in seconds that a process seen in the last minutes waits between two writes."""
    since = time.time() - _LATELY
    said = [
        each["settings"].get("flush_interval") for each in _processes(connection) if each["last_seen"] > since
    ]
    known = [float(each) for each in said if isinstance(each, (int, float))]
    return min(max(known, default=1.0), _LONGEST_FLUSH)


def _processes(connection: Connection) -> list[dict[str, Any]]:
    rows = connection.rows(
        "SELECT p.host, p.pid, p.service, r.version, p.started_at, p.last_seen, p.python, p.server, p.state"
        " FROM processes p LEFT JOIN releases r ON r.id = p.release_id"
        " WHERE p.last_seen >= (SELECT max(last_seen) FROM processes) - ? ORDER BY p.last_seen DESC LIMIT ?",
        (_RECENT, _MOST_PROCESSES),
    )
    return [
        {
            "host": host,
            "pid": pid,
            "service": service,
            "release": release or None,
            "started": started / 1e9,
            "last_seen": seen / 1e9,
            "python": python or None,
            "server": server or None,
            **_state(state),
        }
        for host, pid, service, release, started, seen, python, server, state in rows
    ]


def _is_one_of(processes: list[dict[str, Any]]) -> bool:
    """Whether this dashboard is mounted in an application, and so sees what that sees."""
    here = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return any((each["host"], each["pid"]) == (here, os.getpid()) for each in processes)


def _state(text: str | None) -> dict[str, Any]:
    """What the process says of itself; parts it does not speak of are empty."""
    try:
        said = json.loads(text, parse_constant=lambda name: None) if text else {}
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    return {
        part: said[part] if type(said.get(part)) in (dict, list) else empty for part, empty in _PARTS.items()
    }


def _cost(processes: list[dict[str, Any]]) -> dict[str, Any]:
    """What the agent's own threads take, of the processes heard of lately or, when there are none, of all.

    Of single transactions it is not known: the writer works by the batch, so there is a mean and no percentile.
    """
    since = time.time() - _LATELY
    looked_at = [each for each in processes if each["last_seen"] > since] or processes
    count, cost_us, shares = 0, 0.0, []
    for each in looked_at:
        recorder, overhead = (
            each[part] if isinstance(each[part], dict) else {} for part in ("recorder", "overhead")
        )
        mean_us, recorded = overhead.get("per_transaction_us"), recorder.get("recorded")
        if isinstance(mean_us, (int, float)) and isinstance(recorded, int):
            count += recorded
            cost_us += mean_us * recorded
        if isinstance(overhead.get("cpu_share"), (int, float)):
            shares.append(float(overhead["cpu_share"]))
    return {
        "processes": len(looked_at),
        "transactions": count,
        "cpu_share": sum(shares) / len(shares) if shares else None,
        "cpu_share_most": max(shares, default=None),
        "mean_us": cost_us / count if count else None,
        "p50_us": None,
        "p95_us": None,
    }


def _store(connection: Connection, url: str, processes: list[dict[str, Any]]) -> dict[str, Any]:
    bounds = connection.row(
        "SELECT (SELECT min(started_at) FROM transactions), (SELECT max(started_at) FROM transactions)"
    ) or (None, None)
    max_bytes, max_age = (_given(processes, name) for name in ("max_size", "max_age"))
    return {
        "url": url,
        "bytes": _size(connection.path),
        "wal_bytes": _size(connection.path + "-wal"),
        "max_bytes": None if max_bytes is None else int(max_bytes),
        "oldest": unix(bounds[0]),
        "newest": unix(bounds[1]),
        "transactions": _count(connection, bounds[0]),
        "details": _details(connection),
        "kept": kept(connection, bounds[0], max_age),
        "shipping": _shipping(connection),
    }


def _details(connection: Connection) -> int:
    if connection.mirror is not None and not connection.empty:
        return connection.mirror.details()
    found = connection.row("SELECT count(*) FROM traces")
    return int(found[0]) if found else 0


def _shipping(connection: Connection) -> list[dict[str, Any]]:
    """Who ships to or from this store: how far each is, and what it lost."""
    told = connection.mirror.shipments() if connection.mirror is not None else status.told(connection.path)
    return [
        {
            "server": each.get("to"),
            "shipper": each.get("host"),
            **{name: each.get(name) for name in ("at", "shipped", "dropped", "behind_s", "waiting")},
        }
        for each in told
    ]


def _given(processes: list[dict[str, Any]], name: str) -> float | None:
    """A setting that is a number, as the process that wrote last has it."""
    said = [each["settings"].get(name) for each in processes if isinstance(each["settings"], dict)]
    return next((value for value in said if type(value) in (int, float)), None)


def _count(connection: Connection, oldest: int | None) -> int:
    """How many transactions there are, from the hours they fall into: counting rows reads them all."""
    if oldest is None:
        return 0
    hour = oldest // (3600 * 10**9) * 3600
    rest = connection.row("SELECT sum(count) FROM rollups WHERE resolution = 3600 AND t > ?", (hour,))
    first = connection.row("SELECT count(*) FROM transactions WHERE started_at < ?", ((hour + 3600) * 10**9,))
    return (rest[0] or 0 if rest else 0) + (first[0] if first else 0)


def _schema(connection: Connection) -> int:
    row = connection.row("PRAGMA user_version")
    return int(row[0]) if row else SCHEMA


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        return None
