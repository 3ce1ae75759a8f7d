"""How often the sampler may look: as often as asked while it has processor time saved up, then as its budget allows."""

from __future__ import annotations

#: Time without looks that is saved up at most: a process that is mostly idle looks at what it does as often as asked.
_SAVED_NS = 5_000_000_000
_LONGEST_NS = 1_000_000_000
_OF_LATE = 16
#: Of the budget: what comes in, so that what a process is given to begin with is paid back in some four minutes.
_INCOME = 0.98


class Allowance:
    """A token bucket of processor time: a little less than `budget` ns come in for each that passes, looks go out.

    `asked_ns` is the time between two looks that is asked for. Over any stretch of time looks cost no more than the
    budget and 5 seconds' worth of it, over a long one no more than the budget; when the bucket is empty they become
    rarer.
    """

    __slots__ = ("_asked_ns", "_budget", "_cost_ns", "_most_ns", "_saved_ns")

    def __init__(self, asked_ns: int, budget: float) -> None:
        self._asked_ns = asked_ns
        self._budget = budget
        self._most_ns = int(budget * _SAVED_NS)
        self._saved_ns = self._most_ns
        self._cost_ns = 0

    def passes(self, took_ns: int, cost_ns: int = 0) -> None:
        """Time has passed in which looks and what they entail used so much processor time."""
        saved = self._saved_ns + int(self._budget * _INCOME * took_ns) - cost_ns
        self._saved_ns = max(min(saved, self._most_ns), -self._most_ns)

    def looked(self, cost_ns: int) -> None:
        """A look cost so much."""
        self._cost_ns += (cost_ns - self._cost_ns) // _OF_LATE

    def interval_ns(self) -> int:
        """Time between two looks for now."""
        if not self._budget:
            return _LONGEST_NS
        if self._saved_ns > 0:
            return self._asked_ns
        # A little less often than it could afford, so that it comes out of its debt.
        affordable = int(self._cost_ns / self._budget * 1.25)
        return max(self._asked_ns, min(affordable, _LONGEST_NS))
