"""Reads the process's resident memory on the sampler's clock, for the curve and the peak inside long transactions.

Only while some transaction has been open for 50 ms, and 20 times a second: a finer curve would cost more than it
tells. Shorter ones have their two readings, at begin and end, and no curve.
"""

from __future__ import annotations

from apm_agent.clock import Clock, system
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.memory import Memory

_MOST_POINTS = 200
_EACH_NS = 50_000_000
#: On a busy event loop hundreds may be open; one reading is all of theirs, but each point takes room.
_MOST_TRANSACTIONS = 100


class Curve:
    """Fills `transaction.rss_curve`, on the sampler's thread and clock.

    A point is added where the size changed since the last one. At 200 of them each two become one, the larger: the
    peak is never lost, and the longer ago, the coarser the curve.
    """

    __slots__ = ("_cpu", "_due_ns", "_memory", "_monotonic")

    def __init__(self, memory: Memory, clock: Clock = system) -> None:
        self._memory = memory
        self._monotonic = clock.monotonic
        self._cpu = clock.cpu
        self._due_ns = 0

    def look(self, busy: bool) -> int:
        """Read, and note it for whoever is open, if it is time; the processor time it took in ns."""
        now = self._monotonic()
        if not busy or now < self._due_ns:
            return 0
        begun = self._cpu()
        open_now = attribution.open_now(_MOST_TRANSACTIONS)
        if any(now - transaction.start_ns >= _EACH_NS for transaction in open_now):
            self._due_ns = now + _EACH_NS
            size = self._memory.resident()
            if size is not None:
                for transaction in open_now:
                    add(transaction, now, size)
        return self._cpu() - begun


def add(transaction: Transaction, now: int, size: int) -> None:
    """Add a point to a transaction's curve."""
    points = transaction.rss_curve
    if points is None:
        transaction.rss_curve = [(now, size)]
    elif points[-1][1] != size:
        if len(points) >= _MOST_POINTS:
            pairs = zip(points[::2], points[1::2], strict=True)
            points[:] = [max(pair, key=lambda point: point[1]) for pair in pairs]
        points.append((now, size))
