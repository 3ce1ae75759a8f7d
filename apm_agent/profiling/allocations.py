"""Measures what one transaction allocated and left alive: by line, by type, and who holds what grew.

`tracemalloc` runs from begin to end of that transaction and not a moment longer. It sees the whole process: what
other threads allocate meanwhile is counted too, which is why the pages say how many transactions overlapped. The
request and its response are still alive as a transaction ends, and are among what is counted.

Code that allocates much runs up to a hundred times slower while it is traced (a tight loop over integers: 70 to 85
times, with 12 frames). A transaction that is not over after `LONGEST` seconds goes on untraced, and no other one is
measured for that arm in this process.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from apm_agent.errors import contained
from apm_agent.model.arm import Arm
from apm_agent.model.origin import AGENT, APP, Origin
from apm_agent.model.transaction import MEMORY, Transaction
from apm_agent.profiling.deadline import Deadline
from apm_agent.profiling.holders import Holders, name_of

#: Frames kept of each allocation: enough to find the line of own code that asked for it.
_FRAMES = 12
_MOST_LINES = 40
_MOST_TYPES = 30
#: Holders are looked for of so many types that grew most, by so many objects each, among so many newest of all.
_MOST_HELD, _ENOUGH, _NEWEST = 6, 5, 20_000
#: Up to 3.11 tracemalloc does not know again an object that has a dictionary of its own (cpython's pre-header).
_FINDS_ALL = sys.version_info >= (3, 12)
#: How long the search for holders may take; a single scan of all objects cannot be interrupted.
BUDGET_NS = 200_000_000

#: Seconds a transaction is traced at most.
LONGEST = 5.0
_TOO_LONG = f"it was traced for {LONGEST:.0f} s and not over: it allocates too much to be measured here"

_looking = contained("looking who holds what grew")

Place = tuple[str, int]


class Allocations:
    """One of the captures that can be armed; lays ``notes["memory"]`` on the transaction."""

    def __init__(
        self, origin: Origin, clock: Callable[[], int] = perf_counter_ns, longest: float = LONGEST
    ) -> None:
        self._origin = origin
        self._clock = clock
        self._longest = longest
        self._deadline: Deadline | None = None
        #: arms given up in this process
        self._given_up: set[str] = set()
        self._arm = ""
        self._types: Counter[type] = Counter()
        self._theirs: tracemalloc.Snapshot | None = None
        self._took_ns = 0

    def prepare(self, arm: Arm) -> str:
        """It can always be tried; what counting leaves behind the first time is left behind now."""
        _count([]).subtract(_count([""]))
        return ""

    def begin(self, transaction: Transaction, arm: Arm) -> str:
        """Count what is there and trace what comes."""
        if arm.id in self._given_up:
            return _TOO_LONG
        began = self._clock()
        pauses = transaction.gc_pauses
        gc.collect()  # or what others left would go as this one's, or hide what it keeps
        transaction.gc_pauses = pauses  # that collection was ours
        self._types = _count(gc.get_objects())
        # An application that traces by itself goes on doing so; what it had is then told from what comes.
        self._theirs = tracemalloc.take_snapshot() if tracemalloc.is_tracing() else None
        self._arm = arm.id
        if self._theirs is None:
            tracemalloc.start(_FRAMES)
            self._deadline = Deadline(self._longest, tracemalloc.stop)
        self._took_ns = self._clock() - began
        return ""

    def end(self, transaction: Transaction, keep: bool) -> str:
        """See what is still there, trace no more, and lay the result on the transaction."""
        began = self._clock()
        before, self._types = self._types, Counter()
        theirs, self._theirs = self._theirs, None
        deadline, self._deadline = self._deadline, None
        if deadline is not None and not deadline.met():
            self._given_up.add(self._arm)
            transaction.rss_before = transaction.rss_curve = None
            return _TOO_LONG
        traced = None
        try:
            if keep:
                traced = _Traced(theirs is None, self._place)
        finally:
            if theirs is None:
                tracemalloc.stop()
        if traced is not None:  # the rest needs no tracing, and is ten times faster without
            result = self._result(before, traced, theirs)
            result["took"] = self._took_ns + self._clock() - began
            transaction.notes = {**(transaction.notes or {}), MEMORY: result}
        # The measurement itself takes memory: the process's size says nothing of this transaction.
        transaction.rss_before = transaction.rss_curve = None
        return ""

    def relieve(self) -> None:
        """Nothing stays on a thread."""

    def over(self) -> None:
        """Nothing was changed; what was given up is armed no more."""
        self._given_up.clear()

    @property
    def idle(self) -> bool:
        """Nothing stays on a thread."""
        return True

    def _result(
        self, before: Counter[type], traced: _Traced, theirs: tracemalloc.Snapshot | None
    ) -> dict[str, Any]:
        grown = _count(traced.objects)
        grown.subtract(before)
        types = [(kind, by) for kind, by in grown.most_common(_MOST_TYPES) if by > 0 and not _is_ours(kind)]
        held = []
        with _looking:
            holders = Holders(traced.objects, BUDGET_NS, self._clock)
            for kind, _ in types[:_MOST_HELD]:
                held.append((name_of(kind), holders.of(traced.newest.get(kind, []))))
        lines = self._lines(traced.snapshot, theirs)
        made = {
            "kept": sum(size for _, size, _ in lines),
            "peak": traced.peak,
            "lines": [(path, line, size, count) for (path, line), size, count in lines[:_MOST_LINES]],
            "types": [(name_of(kind), by, traced.asked_at(kind)) for kind, by in types],
            "holders": [(kind, what) for kind, what in held if what],
            "objects": len(traced.objects),
        }
        traced.forget()
        return made

    def _lines(
        self, snapshot: tracemalloc.Snapshot, theirs: tracemalloc.Snapshot | None
    ) -> list[tuple[Place, int, int]]:
        """Bytes and blocks by the innermost line of own code, or of whatever code asked where none did."""
        sums: dict[Place, list[int]] = {}
        if theirs is None:
            parts = [(part.traceback, part.size, part.count) for part in snapshot.statistics("traceback")]
        else:
            parts = [
                (part.traceback, part.size_diff, part.count_diff)
                for part in snapshot.compare_to(theirs, "traceback")
            ]
        for traceback, size, count in parts:
            place = self._place(traceback)
            if place is not None and (size or count):
                entry = sums.setdefault(place, [0, 0])
                entry[0] += size
                entry[1] += count
        ranked = sorted(sums.items(), key=lambda item: -abs(item[1][0]))
        return [(place, size, count) for place, (size, count) in ranked]

    def _place(self, traceback: tracemalloc.Traceback) -> Place | None:
        innermost = traceback[-1]
        if self._origin.of(innermost.filename) == AGENT or innermost.filename == tracemalloc.__file__:
            return None
        for frame in reversed(traceback):
            if self._origin.of(frame.filename) == APP:
                return frame.filename, frame.lineno
        return innermost.filename, innermost.lineno


class _Traced:
    """What is to be seen only while allocations are traced; holds objects of the application until told to forget."""

    def __init__(self, ours: bool, place: Callable[[tracemalloc.Traceback], Place | None]) -> None:
        self.peak = tracemalloc.get_traced_memory()[1] if ours else None
        gc.collect()
        self.objects = gc.get_objects()
        #: type → some of its newest objects, for the collector lists the newest last; and the lines that made them
        self.newest: dict[type, list[Any]] = {}
        self._places: dict[type, list[Place]] = {}
        for at in range(len(self.objects) - 1, max(-1, len(self.objects) - _NEWEST), -1):
            each = self.objects[at]
            new = self.newest.setdefault(type(each), [])
            if len(new) >= _ENOUGH:
                continue
            traceback = tracemalloc.get_object_traceback(each)
            if traceback is None and ours and _FINDS_ALL:
                continue  # older than this transaction
            new.append(each)
            made_at = place(traceback) if traceback is not None else None
            if made_at is not None:
                self._places.setdefault(type(each), []).append(made_at)
        self.snapshot = tracemalloc.take_snapshot()

    def asked_at(self, kind: type) -> Place | None:
        """The line that made most of its newest objects."""
        places = Counter(self._places.get(kind, ()))
        return places.most_common(1)[0][0] if places else None

    def forget(self) -> None:
        """Hold nothing more, whoever still holds this."""
        self.objects.clear()
        self.newest.clear()


def _count(objects: list[Any]) -> Counter[type]:
    return Counter(map(type, objects))


def _is_ours(kind: type) -> bool:
    return name_of(kind).partition(".")[0] == "apm_agent"
