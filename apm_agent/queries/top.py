"""What runs now, by function and by endpoint, as the difference between two readings.

Functions come from what processes tell while they are asked (`queries.live`): every sample of these seconds, also of
transactions that have not ended, in all threads at work, whether they compute or wait in a call; tasks that await are
not among them. Endpoints come from the store: calls that ended and were written, at most a flush interval ago.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import NamedTuple

from apm_agent.model.live import Told
from apm_agent.queries.connection import Connection
from apm_agent.queries.during import Counted, Counters
from apm_agent.queries.live import endpoint_of, name_of, told
from apm_agent.queries.scope import Endpoint, scope_of
from apm_agent.queries.units import ms

#: Function, file and whose code: what a function is told apart by.
_Function = tuple[str, str, str]


class Reading(NamedTuple):
    """All counters at one moment (monotonic seconds)."""

    at: float
    told: list[Told]
    endpoints: dict[int, Counted]
    catalogue: dict[int, Endpoint]


class FunctionRow(NamedTuple):
    """A function; shares are of all time that was sampled."""

    function: str
    file: str
    category: str
    own_ns: int
    total_ns: int
    own: float
    total: float


class EndpointRow(NamedTuple):
    """An endpoint; the figures of what ended are unknown where nothing did."""

    name: str
    kind: str
    service: str
    calls: int
    per_s: float
    errors: int
    mean_ms: float | None
    p95_ms: float | None
    in_flight: int
    oldest_ms: float | None


class Table(NamedTuple):
    """What came between two readings, the most costly first."""

    seconds: float
    processes: int
    in_flight: int
    #: threads at work on average, all processes together
    busy: float | None
    functions: list[FunctionRow]
    endpoints: list[EndpointRow]


class Readings:
    """Takes readings of one store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._counters = Counters(connection)

    def take(self) -> Reading:
        """All counters now."""
        connection = self._connection
        return Reading(
            time.monotonic(),
            told(connection.path),
            self._counters.endpoints(),
            scope_of(connection).endpoints,
        )


def between(before: Reading, after: Reading) -> Table:
    """The table of what came after `before`."""
    seconds = max(0.001, after.at - before.at)
    functions, busy = _functions(before, after)
    return Table(
        seconds=seconds,
        processes=len(after.told),
        in_flight=sum(len(each.flights) + each.more for each in after.told),
        busy=busy if after.told else None,
        functions=functions,
        endpoints=_endpoints(before, after, seconds),
    )


def _functions(before: Reading, after: Reading) -> tuple[list[FunctionRow], float]:
    """The functions, and how many threads were at work on average."""
    then = {(each.host, each.pid, each.since): each for each in before.told}
    sums: dict[_Function, list[int]] = defaultdict(lambda: [0, 0])
    sampled, busy = 0, 0.0
    for each in after.told:
        past = then.get((each.host, each.pid, each.since))
        new_ns = each.sampled_ns - (past.sampled_ns if past else 0)
        # Each process tells at moments of its own.
        elapsed = each.written - (past.written if past else each.since)
        busy += new_ns / 1e9 / elapsed if elapsed > 0 else 0.0
        sampled += new_ns
        known = {(f.function, f.file, f.category): f for f in past.functions} if past else {}
        for function in each.functions:
            key = function.function, function.file, function.category
            was = known.get(key)
            sums[key][0] += function.own_ns - (was.own_ns if was else 0)
            sums[key][1] += function.total_ns - (was.total_ns if was else 0)
    rows = [
        FunctionRow(*key, own, total, _share(own, sampled), _share(total, sampled))
        for key, (own, total) in sums.items()
        if total > 0 or own > 0
    ]
    return sorted(rows, key=lambda row: (-row.own_ns, -row.total_ns, row.function)), busy


def _share(part: int, whole: int) -> float:
    return part / whole if whole > 0 else 0.0


def _endpoints(before: Reading, after: Reading, seconds: float) -> list[EndpointRow]:
    flights: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    known = list(after.catalogue.values())
    for each in after.told:
        for flight in each.flights:
            endpoint = endpoint_of(flight, each.service, known)
            flights[each.service, flight.kind, name_of(flight, endpoint)].append(flight.age_ns)
    ended = {
        (endpoint.service, endpoint.kind, endpoint.name): counted.since(before.endpoints.get(number))
        for number, counted in after.endpoints.items()
        if (endpoint := after.catalogue.get(number)) is not None
    }
    rows = [
        _row(key, ended.get(key) or Counted(), flights.get(key, []), seconds) for key in {**ended, **flights}
    ]
    busy = [row for row in rows if row.calls or row.in_flight]
    return sorted(busy, key=lambda row: (-(row.mean_ms or 0) * row.calls, -row.in_flight, row.name))


def _row(key: tuple[str, str, str], counted: Counted, ages: list[int], seconds: float) -> EndpointRow:
    service, kind, name = key
    count = counted.count
    return EndpointRow(
        name, kind, service, count, count / seconds, counted.errors,
        ms(counted.duration_ns / count) if count else None,
        ms(counted.histogram.quantile(0.95)),
        len(ages), ms(max(ages, default=None)),
    )  # fmt: skip
