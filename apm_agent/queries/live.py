"""What is in flight now, in every process that writes to this store."""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import Any

from apm_agent.errors import StoreError
from apm_agent.model import live
from apm_agent.model.live import Flight, Place, Told
from apm_agent.model.profile import Frame
from apm_agent.queries import beside
from apm_agent.queries.connection import Connection
from apm_agent.queries.memory import Memory
from apm_agent.queries.rollups import measure
from apm_agent.queries.scope import Endpoint, scope_of
from apm_agent.queries.units import millis, ms
from apm_agent.queries.window import of_range

_MOST_PROCESSES = 256
#: A process that wrote so lately is listed, also when it answers nothing.
_LATELY = 600.0
#: Under so many calls a p95 is no measure of how long one should take.
_ENOUGH = 20
_p95 = Memory(50)
_P95_KEPT = 20.0
_ended = Memory(50)
_ENDED_KEPT = 2.0
_UNKNOWN = object()


def ask(store_path: str) -> float:
    """Ask every process to tell for the next seconds; answers until when (Unix seconds)."""
    folder = live.folder_of(store_path)
    until = time.time() + live.ASKED_FOR
    if not os.path.isdir(os.path.dirname(folder)):
        raise StoreError(
            f"there is no store at {store_path} yet. Start the application with `apm-agent run`, "
            "or name the right file with --store."
        )
    try:
        _make(folder, os.path.dirname(folder))
        trouble = live.trouble_with(folder)
        if trouble:
            raise StoreError(f"{trouble}, so no process tells in it. Remove it; it is made anew.")
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
        with open(os.open(live.asked_of(folder), flags, 0o600), "w", encoding="ascii") as file:
            file.write(f"{until:.3f}\n")
        beside.sweep(folder, live.is_told, live.FORGOTTEN)
    except OSError as error:
        raise StoreError(
            f"cannot ask what is in flight: {error.strerror or error}: {folder}. "
            "It takes a folder beside the store that this user may write."
        ) from error
    return until


def told(store_path: str) -> list[Told]:
    """What each process told last, unless it is too old to be believed."""
    folder = live.folder_of(store_path)
    name = os.path.basename(store_path)
    now = time.time()
    return [
        found
        for path in beside.files(folder, live.is_told)
        if (found := live.read(path)) is not None
        and found.store == name
        and abs(now - found.written) < live.STALE
    ]


def in_flight(connection: Connection) -> dict[str, Any]:
    """The processes and what they have in flight, the oldest first; changes nothing and asks for nothing."""
    telling = [each for each in told(connection.path) if connection.host in ("", each.host)]
    endpoints = list(scope_of(connection).endpoints.values()) if telling else []
    usual = _usual(connection) if any(each.flights for each in telling) else {}
    rows = [_row(each, flight, endpoints, usual) for each in telling for flight in each.flights]
    return {
        "asked_until": asked_until_of(connection.path),
        "recent": _recent(connection),
        "processes": _processes(connection, telling),
        "in_flight": sorted(rows, key=lambda row: -row["age_ms"]),
    }


def endpoint_of(flight: Flight, service: str, endpoints: list[Endpoint]) -> Endpoint | None:
    """The endpoint that a transaction belongs to; from its path while it has no name, where only one fits."""
    mine = [each for each in endpoints if each.service == service and each.kind == flight.kind]
    if flight.name:
        return next((each for each in mine if each.name == flight.name), None)
    fit = [each for each in mine if each.method == flight.method and _fits(each.route or "", flight.path)]
    exact = [each for each in fit if each.route == flight.path]
    found = exact or fit
    return found[0] if len(found) == 1 else None


def name_of(flight: Flight, endpoint: Endpoint | None) -> str:
    """What to call a transaction: its endpoint, else its method and path."""
    return endpoint.name if endpoint is not None else flight.name or f"{flight.method} {flight.path}".strip()


def frame_row(frame: Frame) -> dict[str, Any]:
    """A frame as the API writes it."""
    return {
        "function": frame.function, "file": frame.file, "line": frame.line, "category": frame.category,
    }  # fmt: skip


def _row(
    telling: Told, flight: Flight, endpoints: list[Endpoint], usual: dict[int, float | None]
) -> dict[str, Any]:
    endpoint = endpoint_of(flight, telling.service, endpoints)
    first, *others = flight.places or (Place("", "", flight.state, ()),)
    span = flight.span
    return {
        "id": flight.id,
        "name": name_of(flight, endpoint),
        "kind": flight.kind,
        "service": telling.service,
        "host": telling.host,
        "pid": telling.pid,
        "path": flight.path or None,
        "age_ms": millis(flight.age_ns),
        "state": flight.state,
        "span": {"kind": span.kind, "name": span.name, "age_ms": millis(span.age_ns)} if span else None,
        "p95_ms": usual.get(endpoint.id) if endpoint is not None else None,
        **_place(first),
        "also": [_place(place) for place in others],
    }


def _place(place: Place) -> dict[str, Any]:
    return {
        "thread": place.thread,
        "task": place.task or None,
        "stack_state": place.state,
        "stack": [frame_row(frame) for frame in place.stack],
        "cut": place.cut,
    }


def _processes(connection: Connection, telling: list[Told]) -> list[dict[str, Any]]:
    """Those that tell, and those that wrote lately and do not: idle, or with something in them that holds the GIL."""
    seen = connection.rows(
        "SELECT host, pid, service, max(last_seen) FROM processes WHERE last_seen >= ? GROUP BY host, pid"
        " ORDER BY 4 DESC LIMIT ?",
        (int((time.time() - _LATELY) * 1e9), _MOST_PROCESSES),
    )
    lately = {(host, pid): (service, last / 1e9) for host, pid, service, last in seen}
    answering = {(each.host, each.pid): each for each in telling}
    return [
        {
            "host": host,
            "pid": pid,
            "service": answer.service if answer else lately[host, pid][0],
            "answers": answer is not None,
            "in_flight": len(answer.flights) + answer.more if answer else 0,
            "written_at": answer.written if answer else None,
            "last_seen": lately[host, pid][1] if (host, pid) in lately else None,
            "cost_share": _cost(answer) if answer else None,
        }
        for host, pid in {**dict.fromkeys(answering), **dict.fromkeys(lately)}
        for answer in [answering.get((host, pid))]
    ]


def _cost(answer: Told) -> float | None:
    elapsed = answer.written - answer.since
    return round(answer.cost_ns / 1e9 / elapsed, 6) if elapsed > 0 else None


def _recent(connection: Connection) -> dict[str, Any]:
    """What ended lately, for when nothing is in flight; remembered for a moment: it is asked for each second."""
    key = (connection.path, connection.identity)
    known: Any = _ended.get(key, _UNKNOWN)
    if known is _UNKNOWN:
        window = of_range("15m")
        found = [each.sums for each in measure(connection, window, None).values()]
        count = sum(each.count for each in found)
        known = {
            "minutes": round(window.minutes, 2),
            "count": count,
            "errors": sum(each.errors for each in found),
            "per_min": round(count / window.minutes, 3),
        }
        _ended.put(key, known, _ENDED_KEPT)
    ended: dict[str, Any] = known
    return ended


def _usual(connection: Connection) -> dict[int, float | None]:
    """p95 in ms of the last day by endpoint, remembered for a while: it is asked for each second."""
    key = (connection.path, connection.identity)
    known: Any = _p95.get(key, _UNKNOWN)
    if known is _UNKNOWN:
        measured = measure(connection, of_range("24h"), None)
        known = {
            number: ms(each.histogram.quantile(0.95)) if each.sums.count >= _ENOUGH else None
            for number, each in measured.items()
        }
        _p95.put(key, known, _P95_KEPT)
    found: dict[int, float | None] = known
    return found


#: A part of a route that stands for data: ``<int:id>``, ``{id}``, ``(?P<id>…)``.
_PARAMETER = re.compile(r"<[^<>/]*>|\{[^{}/]*\}|\(\?P<[^/]*\)")


def _fits(route: str, path: str) -> bool:
    parts, given = route.strip("/").split("/"), path.strip("/").split("/")
    if "{path" in route or "<path:" in route or len(parts) != len(given):
        return route == path
    return all(_PARAMETER.search(part) or part == each for part, each in zip(parts, given, strict=True))


def asked_until_of(store_path: str) -> float | None:
    """Until when somebody asked the processes to tell; None when nobody does."""
    try:
        asked_at = os.stat(live.asked_of(live.folder_of(store_path))).st_mtime
    except OSError:
        return None
    return asked_at + live.ASKED_FOR if live.is_asked(asked_at, time.time()) else None


def _make(folder: str, parent: str) -> None:
    """The folder, private; of the user the store belongs to where root asks."""
    if os.path.lexists(folder):
        return
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
        owner = os.stat(parent)
        if hasattr(os, "geteuid") and os.geteuid() == 0 and owner.st_uid != 0:
            os.chown(folder, owner.st_uid, owner.st_gid)
