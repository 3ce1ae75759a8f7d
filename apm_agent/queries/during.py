"""What the store counted between two moments: rollups of a day only grow, so two readings differ by just that.

A transaction is counted when it has ended and was written, wherever it began. So what is told here is of transactions
that ended meanwhile, their whole time included.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection

from apm_agent.model.histogram import Histogram
from apm_agent.queries.connection import Connection
from apm_agent.queries.profile import Profiled, named
from apm_agent.queries.window import PROFILES, ROLLUPS

_DAY = 86400
_SUMS = ("count", "errors", "duration_ns")
Stacks = dict[tuple[int, int], tuple[int, int]]


class Counted:
    """What the transactions of an endpoint came to."""

    __slots__ = ("count", "duration_ns", "errors", "histogram")

    def __init__(self, count: int = 0, errors: int = 0, duration_ns: int = 0) -> None:
        self.count = count
        self.errors = errors
        self.duration_ns = duration_ns
        self.histogram = Histogram()

    def since(self, before: Counted | None) -> Counted:
        """What came after `before`; never less than nothing, should the store have been emptied meanwhile."""
        if before is None:
            return self
        made = Counted(*(max(0, getattr(self, name) - getattr(before, name)) for name in _SUMS))
        then = before.histogram.counts
        made.histogram.fill(
            {
                bucket: count - then.get(bucket, 0)
                for bucket, count in self.histogram.counts.items()
                if count > then.get(bucket, 0)
            }
        )
        return made


class Counters:
    """Reads the days from yesterday on, of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Fixed, so that midnight takes nothing away between two readings.
        self._first = int(time.time()) // _DAY * _DAY - _DAY

    def endpoints(self) -> dict[int, Counted]:
        """Sums and histogram by endpoint, so far."""
        found: dict[int, Counted] = {}
        for endpoint, count, errors, duration, histogram in self._connection.rows(
            "SELECT endpoint_id, count, errors, duration_ns, histogram FROM rollups WHERE resolution = ? AND t >= ?",
            (ROLLUPS[-1], self._first),
        ):
            sums = found.setdefault(endpoint, Counted())
            sums.count += count
            sums.errors += errors
            sums.duration_ns += duration
            sums.histogram.merge_bytes(histogram)
        return found

    def stacks(self, endpoints: Collection[int]) -> Stacks:
        """Samples and nanoseconds by stack and state of some endpoints, so far."""
        wanted = set(endpoints)
        sums: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
        for endpoint, stack, state, count, weight in self._connection.rows(
            "SELECT endpoint_id, stack_id, state, sum(count), sum(weight_ns) FROM profiles"
            " WHERE resolution = ? AND t >= ? GROUP BY endpoint_id, stack_id, state",
            (PROFILES[-1], self._first),
        ):
            if endpoint in wanted:
                sums[stack, state][0] += count
                sums[stack, state][1] += weight
        return {key: (count, weight) for key, (count, weight) in sums.items()}


def profiled(connection: Connection, before: Stacks, after: Stacks, transactions: int) -> Profiled:
    """The profile of what came between two readings."""
    rows = []
    for (stack, state), (count, weight) in after.items():
        then = before.get((stack, state), (0, 0))
        if weight > then[1]:
            rows.append((stack, state, max(0, count - then[0]), weight - then[1]))
    return Profiled(named(connection, rows), transactions)
