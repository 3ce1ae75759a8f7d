"""What the calls of a window did to the size of their process, endpoint by endpoint and process by process."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from apm_agent.queries.connection import Connection
from apm_agent.queries.settled import settled
from apm_agent.queries.window import Window

#: Newest transactions looked at, of the past and of the last minutes each.
MOST_ROWS = 200_000


class Series(NamedTuple):
    """The calls of an endpoint in a process that had it to themselves, in order of time, in bytes.

    `stayed` is what was still there as the next call of the process began; its last call has none.
    """

    kept: list[int]
    stayed: list[int]


class Calls(NamedTuple):
    """All calls whose sizes are known; one that another overlapped tells nothing but that it was there."""

    every: dict[int, int]
    alone: dict[tuple[int, int], Series]
    #: process → the sizes before and after its calls that were alone
    sizes: dict[int, Series]
    #: process → the size before its first call
    first: dict[int, int]
    #: process → the endpoint of its last call, if that was alone: it waits for the next to begin
    last: dict[int, int]


def calls(connection: Connection, window: Window, releases: tuple[int, ...] | None) -> Calls:
    """Those of a window; those measured on demand took memory for that and are left out."""
    return settled(
        connection,
        window,
        ("calls", releases),
        lambda start, end: read(connection, start, end, releases),
        joined,
    )


def read(connection: Connection, start: int, end: int, releases: tuple[int, ...] | None) -> Calls:
    only = "" if releases is None else f" AND release_id IN ({', '.join('?' * len(releases))})"
    rows = connection.rows(
        "SELECT endpoint_id, process_id, rss_before, rss_after, overlap FROM (SELECT * FROM transactions"
        f" WHERE started_at >= ? AND started_at < ?{only} ORDER BY started_at DESC LIMIT ?)"
        " WHERE rss_before IS NOT NULL AND rss_after IS NOT NULL AND kept IS NOT 'captured'",
        (start, end, *(releases or ()), MOST_ROWS),
    )
    every: dict[int, int] = defaultdict(int)
    alone: dict[tuple[int, int], Series] = defaultdict(lambda: Series([], []))
    sizes: dict[int, Series] = defaultdict(lambda: Series([], []))
    then: dict[int, int] = {}
    last: dict[int, int] = {}
    for endpoint, process, before, after, overlap in rows:  # the newest first
        every[endpoint] += 1
        if not overlap:
            kept, stayed = alone[endpoint, process]
            kept.append(after - before)
            if process in then:
                stayed.append(then[process] - before)
            else:
                last[process] = endpoint
            befores, afters = sizes[process]
            befores.append(before)
            afters.append(after)
        then[process] = before
    for series in (*alone.values(), *sizes.values()):
        series[0].reverse()
        series[1].reverse()
    return Calls(dict(every), dict(alone), dict(sizes), then, last)


def joined(before: Calls, after: Calls) -> Calls:
    """Both as one, in order of time; what neither adds to is left as it is."""
    every = {**before.every}
    for endpoint, count in after.every.items():
        every[endpoint] = every.get(endpoint, 0) + count
    alone = {**before.alone}
    for process, endpoint in before.last.items():
        if process in after.first:
            kept, stayed = alone[endpoint, process]
            left = after.first[process] - before.sizes[process].kept[-1]
            alone[endpoint, process] = Series(kept, [*stayed, left])
    return Calls(
        every,
        _longer(alone, after.alone),
        _longer(before.sizes, after.sizes),
        {**after.first, **before.first},
        {**{at: of for at, of in before.last.items() if at not in after.first}, **after.last},
    )


def _longer(before: dict, after: dict) -> dict:  # type: ignore[type-arg]
    found = {**before}
    for key, (one, other) in after.items():
        found[key] = (
            Series(found[key][0] + one, found[key][1] + other) if key in found else Series(one, other)
        )
    return found
