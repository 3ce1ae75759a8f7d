"""What is wrong with a store and with those that write it, each trouble with its cure: for `doctor` and its page."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, NamedTuple

from apm_agent.queries.connection import SCHEMA, Connection

FINE, NOTE, WRONG = "fine", "note", "wrong"
#: Agents that patch what we patch: both work, but each measures the other.
OTHERS = ("ddtrace", "elastic-apm", "newrelic", "opentelemetry-instrumentation", "scout-apm", "sentry-sdk")
#: What only the application's own process can tell, where `apm-agent doctor` asks it.
ELSEWHERE = (
    ("settings", "which settings its environment gives, and whether each can be read"),
    ("libraries", "which frameworks, servers and libraries are installed beside it"),
    ("store", "whether its own user may write the store and make the folder"),
    ("access", "who may see a dashboard that is mounted in it"),
)
#: Seconds: a process not heard of for longer than this has ended or is idle.
_LATELY = 600.0
_NEARLY_FULL = 0.95
#: The sampler looks this much less often than asked: it holds itself back.
_HELD_BACK = 0.5
#: What the sampler says of itself when all is well.
_SAMPLING = frozenset({"parked", "looking", "not started", "closed"})


class Finding(NamedTuple):
    """One line of the report."""

    state: str
    what: str
    detail: str
    cure: str = ""


def interpreter() -> Iterator[Finding]:
    """Whether the sampler may look into this Python."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        yield Finding(
            WRONG, "gil", "this Python runs without the GIL, where looking at other threads is not safe",
            "start it with PYTHON_GIL=1, or set APM_AGENT_SAMPLER=off",
        )  # fmt: skip


def machine() -> Iterator[Finding]:
    """What the machine must be able to do."""
    if sqlite3.sqlite_version_info < (3, 24):
        yield Finding(WRONG, "sqlite", f"{sqlite3.sqlite_version} is too old", "3.24 or newer is needed")
    else:
        yield Finding(FINE, "sqlite", sqlite3.sqlite_version)
    if not os.access("/proc/self/statm", os.R_OK):
        yield Finding(NOTE, "memory", "there is no /proc/self/statm here, so no memory of transactions")


def other_agents() -> Iterator[Finding]:
    """Agents installed beside this one."""
    for name in OTHERS:
        if found := installed(name):
            yield Finding(
                NOTE, "other agent", f"{name} {found} is installed; where both run, each measures the other"
            )


def installed(distribution: str) -> str:
    """The version of a distribution; empty when it is not here."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def unused(processes: list[dict[str, Any]]) -> list[str]:
    """Instruments of libraries that are installed where this is asked, and that no application has imported."""
    names: dict[str, bool] = {}
    for each in (each for process in processes for each in _listed(process, "instruments")):
        name, waits = str(each.get("name")), each.get("state") == "waiting"
        modules = str(each.get("detail") or "").partition(": ")[2].split(", ")
        names[name] = names.get(name, True) and waits and any(map(_is_here, modules))
    return [name for name, is_unused in names.items() if is_unused]


@cache
def _is_here(module: str) -> bool:
    top = module.partition(".")[0]
    try:
        return top.isidentifier() and find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def here(connection: Connection, store: dict[str, Any], processes: list[dict[str, Any]]) -> list[Finding]:
    """All that can be told from the process of a dashboard."""
    return [
        *_kept(connection, store),
        *_lately(processes),
        *interpreter(),
        *machine(),
        *other_agents(),
    ]


def instruments(told: dict[str, Any]) -> Iterator[Finding]:
    """Instruments of a process that do not fit the library they were made for, and errors kept from it."""
    for each in _listed(told, "instruments"):
        if each.get("state") == "failed":
            name = each.get("name")
            yield Finding(
                WRONG, "instrument", f"{name} failed: {each.get('detail')}",
                f"set APM_AGENT_INSTRUMENTS_OFF={name} until it is supported",
            )  # fmt: skip
    for each in _listed(told, "contained"):
        yield Finding(
            NOTE, "contained", f"{each.get('count')}× while {each.get('what')}: {each.get('error')}"
        )


def _listed(told: dict[str, Any], part: str) -> list[dict[str, Any]]:
    said = told.get(part)
    return [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []


def _number(told: Any, name: str) -> float:
    """A figure of a process's own word; 0 when it said none."""
    said = told.get(name) if isinstance(told, dict) else None
    return said if isinstance(said, (int, float)) and not isinstance(said, bool) else 0


def _kept(connection: Connection, store: dict[str, Any]) -> Iterator[Finding]:
    path = connection.path
    if connection.empty:
        yield Finding(
            NOTE, "last event", f"never: there is no store at {path} yet",
            "start the application with: apm-agent run COMMAND…",
        )  # fmt: skip
        return
    if os.access(path, os.W_OK):
        yield Finding(FINE, "store", "the user of this dashboard may read and write it")
    else:
        yield Finding(NOTE, "store", "the user of this dashboard may read it but not write it")
    found = connection.schema()
    if found == SCHEMA:
        yield Finding(FINE, "schema", f"{found}, which this version reads and writes")
    else:
        yield Finding(
            NOTE, "schema", f"{found}, and this version reads {SCHEMA}",
            "the next write of the application brings it up to date",
        )  # fmt: skip
    size, most = store["bytes"], store["max_bytes"]
    if size and most and size >= _NEARLY_FULL * most:
        yield Finding(
            NOTE, "size", f"{size / 2**20:.0f} of {most / 2**20:.0f} MB: the oldest transactions are let go",
            "raise max_size to look back further",
        )  # fmt: skip


def _lately(processes: list[dict[str, Any]]) -> Iterator[Finding]:
    since = time.time() - _LATELY
    now = [each for each in processes if each["last_seen"] > since]
    if processes and not now:
        yield Finding(
            NOTE, "last event", f"none of {len(processes)} processes wrote in the last 10 minutes",
            "send the application a request, and see that it writes to this store",
        )  # fmt: skip
    found = [finding for each in now for finding in _of(each)]
    yield from found
    if now and not found:
        yield Finding(FINE, "processes", f"{len(now)} wrote lately; none dropped, failed or held back")
    yield from _unlike(now)


def _of(process: dict[str, Any]) -> Iterator[Finding]:
    """What is wrong with one process, by its own word."""
    name = f"{process['service']}, {process['host']}:{process['pid']}"
    for state, what, detail, cure in instruments(process):
        yield Finding(state, what, f"{detail} ({name})", cure)
    dropped, lost = (_number(process["recorder"], each) for each in ("dropped", "lost"))
    if dropped:
        yield Finding(
            WRONG, "dropped", f"{dropped:,} transactions: the queue was full ({name})",
            "raise max_queue, or see whether the disk of the store is slow",
        )  # fmt: skip
    if lost:
        yield Finding(WRONG, "lost", f"{lost:,} transactions could not be written ({name})")
    writer, sampler = (
        process[part] if isinstance(process[part], dict) else {} for part in ("writer", "sampler")
    )
    if writer.get("last_error"):
        yield Finding(
            WRONG, "writing", f"{writer['last_error']} ({name})", "see that the store can be written"
        )
    said = sampler.get("state")
    if isinstance(said, str) and said not in _SAMPLING:
        yield Finding(WRONG, "sampler", f"{said} ({name})")
    asked, interval = _number(process["settings"], "sample_interval") * 1000, _number(sampler, "interval_ms")
    if asked and asked < _HELD_BACK * interval:
        yield Finding(
            NOTE, "sampler",
            f"asked to look every {asked:.0f} ms and looks every {interval:.0f} ms, to keep its budget ({name})",
            "raise sampler_budget, or sample_interval",
        )  # fmt: skip


def _unlike(processes: list[dict[str, Any]]) -> Iterator[Finding]:
    """Processes of one service that were started with different settings."""
    seen: dict[str, dict[str, Any]] = {}
    unlike: dict[str, set[str]] = {}
    for each in processes:
        settings = each["settings"] if isinstance(each["settings"], dict) else {}
        first = seen.setdefault(each["service"], settings)
        names = {name for name in first.keys() & settings.keys() if first[name] != settings[name]}
        unlike.setdefault(each["service"], set()).update(names)
    for service, names in sorted(unlike.items()):
        if names:
            yield Finding(
                NOTE, "settings", f"processes of {service} do not agree on {', '.join(sorted(names))}",
                "start them anew, with the settings in one place",
            )  # fmt: skip
