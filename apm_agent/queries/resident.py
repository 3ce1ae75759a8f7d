"""How large each worker was over time, when it came, and whether another one ended before."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, NamedTuple

from apm_agent.queries.connection import Connection
from apm_agent.queries.scope import Scope
from apm_agent.queries.settled import settled
from apm_agent.queries.units import kb
from apm_agent.queries.window import Window

#: Points of time, and how many of the last transactions of each step are looked at.
_STEPS, _SHORTEST, _AT_ONCE = 120, 10, 400
#: Most workers answered, the largest; most marks, the newest.
_MOST_WORKERS, _MOST_MARKS = 48, 60
_MOST_ROWS = 5000
#: Seconds: not heard of for so long while others were, a worker has ended or has nothing to do.
_SILENT = 600
#: Seconds between the last word of a worker and the first of the one in its place.
_SUCCEEDS = 120


class Worker(NamedTuple):
    """A process as its row has it; times are Unix ns."""

    id: int
    host: str
    pid: int
    service: str
    release: str | None
    started: int
    seen: int
    rss: int | None
    release_id: int


def resident(
    connection: Connection, window: Window, service: str, scope: Scope, grown: dict[int, int]
) -> dict[str, Any]:
    """Sizes by worker and step, the larger workers first; restarts and releases as marks on the same axis.

    Between two transactions a worker says nothing, so a step without one is not known (None). A step holds what the
    worker had at the end of its last transaction of that step; beyond `_AT_ONCE` transactions of all workers in a step
    the older ones are not looked at, nor are those measured on demand: measuring took memory itself.
    """
    known = _workers(connection, service)
    newest = max((each.seen for each in known), default=0)
    step = max(_SHORTEST, math.ceil(window.seconds / _STEPS))
    times = [window.start + step * number for number in range(math.ceil(window.seconds / step))]
    sizes = _sizes(connection, window, times, step)
    releases = scope.releases
    there = [
        each
        for each in known
        if _was_there(each, window) and (releases is None or each.release_id in releases)
    ]
    rows = [_row(each, sizes.get(each.id, {}), len(times), window, step, newest, grown) for each in there]
    rows.sort(key=lambda row: (-(row["peak_kb"] or -1), row["pid"]))
    return {
        "step": step,
        "t": times,
        "workers": rows[:_MOST_WORKERS],
        "left_out": max(0, len(rows) - _MOST_WORKERS),
        "restarts": _restarts(known, window)[-_MOST_MARKS:],
        "releases": _releases(connection, window, service)[-_MOST_MARKS:],
    }


def _workers(connection: Connection, service: str) -> list[Worker]:
    rows = connection.rows(
        "SELECT p.id, p.host, p.pid, p.service, r.version, p.started_at, p.last_seen, p.rss, p.release_id"
        " FROM processes p LEFT JOIN releases r ON r.id = p.release_id WHERE (? = '' OR p.service = ?)"
        " ORDER BY p.last_seen DESC LIMIT ?",
        (service, service, _MOST_ROWS),
    )
    return [Worker(*row) for row in rows]


def _was_there(worker: Worker, window: Window) -> bool:
    return worker.started < window.end_ns and worker.seen >= window.start_ns


_Sizes = dict[int, dict[int, tuple[int, int]]]


def _sizes(connection: Connection, window: Window, times: list[int], step: int) -> _Sizes:
    """Process → step → (when, size) of the last transaction that ended in it."""

    def read(start: int, end: int) -> _Sizes:
        found: _Sizes = defaultdict(dict)
        for begin in times:
            if not start <= begin * 10**9 < end:
                continue
            for process, number, at, size in connection.rows(
                "SELECT process_id, (at / 1000000000 - ?) / ?, max(at), rss_after FROM (SELECT process_id,"
                " started_at + duration_ns AS at, rss_after FROM transactions WHERE started_at >= ? AND started_at < ?"
                " AND rss_after IS NOT NULL AND kept IS NOT 'captured' ORDER BY started_at DESC LIMIT ?) GROUP BY 1, 2",
                (times[0], step, begin * 10**9, (begin + step) * 10**9, _AT_ONCE),
            ):
                _put(found[process], number, at, size)
        return found

    return settled(connection, window, ("sizes",), read, _together, step)


def _together(before: _Sizes, after: _Sizes) -> _Sizes:
    found = {process: {**steps} for process, steps in before.items()}
    for process, steps in after.items():
        mine = found.setdefault(process, {})
        for number, (at, size) in steps.items():
            _put(mine, number, at, size)
    return found


def _put(steps: dict[int, tuple[int, int]], number: int, at: int, size: int) -> None:
    if number not in steps or steps[number][0] < at:
        steps[number] = (at, size)


def _row(  # noqa: PLR0917
    worker: Worker,
    steps: dict[int, tuple[int, int]],
    count: int,
    window: Window,
    step: int,
    newest: int,
    grown: dict[int, int],
) -> dict[str, Any]:
    if worker.rss is not None and window.start_ns <= worker.seen < window.end_ns:
        _put(steps, (worker.seen // 10**9 - window.start) // step, worker.seen, worker.rss)
    sizes = [steps[number][1] if number in steps else None for number in range(count)]
    last = max(steps.values(), default=(0, worker.rss))[1]
    return {
        "host": worker.host,
        "pid": worker.pid,
        "service": worker.service,
        "release": worker.release or None,
        "started": worker.started / 1e9,
        "last_seen": worker.seen / 1e9,
        "silent": newest - worker.seen > _SILENT * 10**9,
        "rss_kb": kb(last),
        "peak_kb": kb(max((size for size in sizes if size is not None), default=last)),
        "growth_kb": kb(grown.get(worker.id)),
        "sizes_kb": [kb(size) for size in sizes],
    }


def _restarts(known: list[Worker], window: Window) -> list[dict[str, Any]]:
    """Workers that came in the window, each with the one that had ended before, if one had.

    Nobody tells why a worker ended. One that was last heard of shortly before another of the same service came to the
    same host is taken for its predecessor, each once.
    """
    free = sorted(known, key=lambda each: each.seen)
    marks = []
    for each in sorted(known, key=lambda each: each.started):
        before = next(
            (
                other
                for other in reversed(free)
                if other.started < each.started
                and (other.host, other.service) == (each.host, each.service)
                and abs(each.started - other.seen) <= _SUCCEEDS * 10**9
                and other.seen <= each.started + 10**9
            ),
            None,
        )
        if before is not None:
            free.remove(before)
        if not window.start_ns <= each.started < window.end_ns:
            continue
        marks.append(
            {
                "t": each.started / 1e9,
                "host": each.host,
                "pid": each.pid,
                "service": each.service,
                "release": each.release or None,
                "before": before.pid if before else None,
                "before_kb": kb(before.rss) if before else None,
                "why": "start"
                if before is None
                else "release"
                if before.release != each.release
                else "restart",
            }
        )
    return marks


def _releases(connection: Connection, window: Window, service: str) -> list[dict[str, Any]]:
    """Releases that came in the window: as they first wrote, or as the first worker that ran them began."""
    rows = connection.rows(
        "SELECT min(r.first_seen, coalesce(min(p.started_at), r.first_seen)), r.version, r.service FROM releases r"
        " LEFT JOIN processes p ON p.release_id = r.id WHERE (? = '' OR r.service = ?) AND r.version <> ''"
        " GROUP BY r.id ORDER BY 1",
        (service, service),
    )
    return [
        {"t": at / 1e9, "version": version, "service": of}
        for at, version, of in rows
        if window.start_ns <= at < window.end_ns
    ]
