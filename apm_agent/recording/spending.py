"""Where a transaction's time went: own times of spans, and time by kind that adds up to the duration."""

from __future__ import annotations

from typing import NamedTuple

#: Kinds of spans that claim time; `code` is python, and `queue` lies before the transaction.
CLAIMING = frozenset({"db", "http", "template", "cache", "wait"})
PYTHON, GC = "python", "gc"


class Interval(NamedTuple):
    """A span's part inside its transaction: offsets in ns, the index of its parent, its kind."""

    begin: int
    end: int
    parent: int | None
    kind: str


def own_times(intervals: list[Interval], nested: bool) -> list[int]:
    """Each span's time outside of its children; `nested` is what `is_nested` said."""
    own = [interval.end - interval.begin for interval in intervals]
    if nested:
        for interval in intervals:
            if interval.parent is not None:
                own[interval.parent] -= interval.end - interval.begin
        return own
    children: dict[int, list[Interval]] = {}
    for interval in intervals:
        if interval.parent is not None:
            children.setdefault(interval.parent, []).append(interval)
    for parent, of_parent in children.items():
        own[parent] -= _covered(of_parent, intervals[parent])
    return own


def is_nested(intervals: list[Interval]) -> bool:
    """Whether spans follow one another inside their parents, as they do unless tasks run side by side."""
    ends: dict[int | None, int] = {}
    for interval in intervals:  # in the order they were opened
        parent = interval.parent
        if interval.begin < ends.get(parent, 0):
            return False
        if parent is not None and interval.end > intervals[parent].end:
            return False
        ends[parent] = interval.end
    return True


def by_kind(
    intervals: list[Interval], own: list[int], pauses: list[tuple[int, int]], duration: int, nested: bool
) -> dict[str, int]:
    """Time by kind; the parts add up to the duration.

    Time belongs to the innermost span open then, to a collection of garbage before any span, and to python
    when there is neither. Where spans of several kinds ran side by side, each gets its part of that time.
    """
    if nested and not (pauses and intervals):
        times: dict[str, int] = {}
        left = duration
        for interval, ns in zip(intervals, own, strict=True):
            if interval.kind in CLAIMING:
                times[interval.kind] = times.get(interval.kind, 0) + ns
                left -= ns
        if pauses:
            paused = min(left, sum(end - begin for begin, end in pauses))
            times[GC] = paused
            left -= paused
        times[PYTHON] = left
        return times
    return _sweep(intervals, pauses, duration)


def _covered(children: list[Interval], parent: Interval) -> int:
    """How much of the parent its children cover together."""
    covered, reached = 0, parent.begin
    for child in sorted(children):
        begin, end = max(child.begin, reached), min(child.end, parent.end)
        if end > begin:
            covered += end - begin
            reached = end
    return covered


def _sweep(intervals: list[Interval], pauses: list[tuple[int, int]], duration: int) -> dict[str, int]:
    # At one time closings come before openings, and parents open before their children.
    events = [(i.begin, 1, at) for at, i in enumerate(intervals) if i.end > i.begin]
    events += [(i.end, 0, at) for at, i in enumerate(intervals) if i.end > i.begin]
    events += [(begin, 1, -1) for begin, _ in pauses] + [(end, 0, -1) for _, end in pauses]
    events.sort()
    sweep = _Sweep(intervals)
    for at, opens, index in events:
        sweep.move(min(at, duration))
        if index < 0:
            sweep.pausing += 1 if opens else -1
        elif opens:
            sweep.open(index)
        else:
            sweep.close(index)
    sweep.move(duration)
    spent = sweep.spent
    # Halves and thirds were rounded down: what is missing was nobody's.
    spent[PYTHON] = spent.get(PYTHON, 0) + duration - sum(spent.values())
    return spent


class _Sweep:
    """A moment moving through a transaction, knowing which kinds are innermost at it."""

    def __init__(self, intervals: list[Interval]) -> None:
        self._intervals = intervals
        self._children = [0] * len(intervals)
        self._is_open = [False] * len(intervals)
        self._kinds: dict[str, int] = {}
        self._at = 0
        self.pausing = 0
        self.spent: dict[str, int] = {}

    def move(self, at: int) -> None:
        """Charge the time up to `at`."""
        passed, self._at = at - self._at, max(at, self._at)
        if passed <= 0:
            return
        kinds = [GC] if self.pausing > 0 else [kind for kind, count in self._kinds.items() if count > 0]
        for kind in kinds or [PYTHON]:
            self.spent[kind] = self.spent.get(kind, 0) + passed // max(1, len(kinds))

    def open(self, index: int) -> None:
        """A span begins; its parent is innermost no more."""
        self._is_open[index] = True
        if not self._children[index]:
            self._count(index, 1)
        parent = self._intervals[index].parent
        if parent is not None:
            self._children[parent] += 1
            if self._children[parent] == 1 and self._is_open[parent]:
                self._count(parent, -1)

    def close(self, index: int) -> None:
        """A span ends; its parent may be innermost again."""
        self._is_open[index] = False
        if not self._children[index]:
            self._count(index, -1)
        parent = self._intervals[index].parent
        if parent is not None:
            self._children[parent] -= 1
            if not self._children[parent] and self._is_open[parent]:
                self._count(parent, 1)

    def _count(self, index: int, step: int) -> None:
        kind = self._intervals[index].kind
        # Own code beside a query that runs: the time is the query's.
        if kind in CLAIMING:
            self._kinds[kind] = self._kinds.get(kind, 0) + step
