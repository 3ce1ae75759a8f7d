"""The profile of a window or of one transaction: what the flame graph draws and the exporters write."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from apm_agent.errors import QuestionError
from apm_agent.model.profile import WAITING, Frame, Profile, Stack
from apm_agent.queries import detail, names
from apm_agent.queries.connection import Connection
from apm_agent.queries.rollups import totals
from apm_agent.queries.summed import summed
from apm_agent.queries.window import PROFILES, Piece, Window

#: Most distinct stacks read; the time of the rest is kept under one name.
_MOST_STACKS = 20_000
OTHER = (Frame("(other stacks)", "", 0, "lib", ""),)
#: Innermost in stacks that were suspended there, so that no page or format takes them for running.
WAITED = Frame("(waiting)", "", 0, "lib", "")

#: The schema since which processor time is kept beside time.
_CLOCKED = 2

#: How long profiles of ten minutes are kept, nearly: a window from before then begins at a full hour.
_FINE = 2 * 86400 - 7200

#: Clocks a profile is told by: time that passed, and processor time.
WALL, CPU = CLOCKS = ("wall", "cpu")

#: Leave out what is narrower than a pixel of a wide screen.
PRUNE = 0.0005


class Weighed(NamedTuple):
    """A stack in a state, how many samples it had and what they are worth.

    `cpu_ns` is the processor time used in `clocked_ns` of that; of the rest it is not known.
    """

    stack: Stack
    state: int
    samples: int
    weight_ns: int
    cpu_ns: int = 0
    clocked_ns: int = 0


class Profiled(NamedTuple):
    """A profile: its stacks, and of how many transactions."""

    stacks: list[Weighed]
    transactions: int

    @property
    def total_ns(self) -> int:
        return sum(weighed.weight_ns for weighed in self.stacks)

    @property
    def samples(self) -> int:
        return sum(weighed.samples for weighed in self.stacks)

    @property
    def unclocked_ns(self) -> int:
        """Time whose processor time is not known; what is suspended uses none, whoever wrote it."""
        return sum(max(0, each.weight_ns - each.clocked_ns) for each in self.stacks if each.state != WAITING)

    def on(self, clock: str) -> Profiled:
        """The same by that clock: stacks that used no processor are not there on `CPU`."""
        if clock == WALL:
            return self
        spent = [each._replace(weight_ns=each.cpu_ns) for each in self.stacks if each.cpu_ns > 0]
        return Profiled(spent, self.transactions)

    def profile(self) -> Profile:
        """Nanoseconds by stack, states together: what an exporter takes."""
        merged: Profile = defaultdict(int)
        for weighed in self.stacks:
            merged[weighed.stack] += weighed.weight_ns
        return dict(merged)


def of_window(
    connection: Connection, window: Window, endpoints: Iterable[int], releases: tuple[int, ...] | None = None
) -> Profiled:
    """All samples of some endpoints in a window, which begins at full ten minutes or hours."""
    wanted = list(endpoints)
    only = wanted[0] if len(wanted) == 1 else None
    rows = _sums(connection, window, releases, only, set(wanted))
    counted = totals(connection, window.pieces(), releases, only)
    transactions = sum(counted[endpoint].count for endpoint in wanted if endpoint in counted)
    return Profiled(named(connection, rows), transactions)


def by_endpoint(
    connection: Connection, window: Window, endpoints: Iterable[int], releases: tuple[int, ...] | None
) -> dict[int, list[Weighed]]:
    """The samples of each endpoint by itself."""
    rows = _by_endpoint(connection, window, releases, None, set(endpoints))
    rows.sort(key=lambda row: -row[4])
    stacks = names.stacks(connection, {row[1] for row in rows[:_MOST_STACKS]})
    found: dict[int, list[Weighed]] = defaultdict(list)
    for number, (endpoint, stack, state, *sums) in enumerate(rows):
        name = stacks.get(stack, (names.UNKNOWN,)) if number < _MOST_STACKS else OTHER
        found[endpoint].append(Weighed(told(name, state), state, *sums))
    return found


def pieces_of(window: Window) -> list[Piece]:
    """The profile rollups that cover a window: its edges are widened to what is kept of that time."""
    return window.pieces(_levels(window))


def _levels(window: Window) -> tuple[int, ...]:
    return PROFILES if time.time() - window.start < _FINE else PROFILES[1:]


def of_transaction(connection: Connection, number: int) -> Profiled | None:
    """The samples of one transaction; None when its detail is not in the store."""
    row = connection.row("SELECT data FROM traces WHERE transaction_id = ?", (number,))
    if row is None:
        return None
    document = detail.unpack(row[0])
    sums: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for stack, state, *figures in detail.weighed(document):
        _add(sums[stack, state], figures)
    return Profiled(named(connection, [(*key, *figures) for key, figures in sums.items()]), 1)


def columnar(profiled: Profiled, prune: float = PRUNE, clock: str = WALL) -> dict[str, Any]:
    """The profile as a tree in columns, parents first; branches under the share `prune` are cut."""
    tree = _Tree()
    for weighed in profiled.on(clock).stacks:
        tree.add(weighed)
    return tree.answer(prune) | {
        "count": profiled.samples,
        "transactions": profiled.transactions,
        "clock": clock,
        "unclocked_ns": profiled.unclocked_ns,
    }


class _Tree:
    """Stacks merged by what they share from the outermost frame on; node 0 is all samples."""

    def __init__(self) -> None:
        self.parent, self.frame, self.total, self.own, self.samples = [-1], [-1], [0], [0], [0]
        self.children: list[dict[int, int]] = [{}]
        self.frames: dict[tuple[str, str, int, str], int] = {}

    def add(self, weighed: Weighed) -> None:
        node = 0
        self.total[0] += weighed.weight_ns
        self.samples[0] += weighed.samples
        for frame in weighed.stack:
            index = self.frames.setdefault(
                (frame.function, frame.file, frame.line, frame.category), len(self.frames)
            )
            node = self._child(node, index)
            self.total[node] += weighed.weight_ns
            self.samples[node] += weighed.samples
        self.own[node] += weighed.weight_ns

    def _child(self, node: int, frame: int) -> int:
        child = self.children[node].get(frame)
        if child is None:
            child = self.children[node][frame] = len(self.parent)
            for column, value in ((self.parent, node), (self.frame, frame), (self.total, 0), (self.own, 0)):
                column.append(value)
            self.samples.append(0)
            self.children.append({})
        return child

    def answer(self, prune: float) -> dict[str, Any]:
        least = self.total[0] * prune
        new_node, new_frame = {0: 0}, dict[int, int]()
        columns: dict[str, list[int]] = {
            "parent": [-1], "frame": [-1], "total_ns": [self.total[0]], "own_ns": [self.own[0]],
            "samples": [self.samples[0]],
        }  # fmt: skip
        pruned = 0
        for node in range(1, len(self.parent)):
            parent = new_node.get(self.parent[node])
            if parent is None:
                continue
            if self.total[node] < least:
                pruned += self.total[node]
                continue
            new_node[node] = len(columns["parent"])
            columns["parent"].append(parent)
            columns["frame"].append(new_frame.setdefault(self.frame[node], len(new_frame)))
            columns["total_ns"].append(self.total[node])
            columns["own_ns"].append(self.own[node])
            columns["samples"].append(self.samples[node])
        known = list(self.frames)
        kept = [known[index] for index in new_frame]
        names_of = ("function", "file", "line", "category")
        return {
            "frames": {name: [frame[at] for frame in kept] for at, name in enumerate(names_of)},
            "nodes": columns,
            "total_ns": self.total[0],
            "pruned_ns": pruned,
        }


def told(stack: Stack, state: int) -> Stack:
    """The stack, ending in ``(waiting)`` where it was suspended."""
    return (*stack, WAITED) if state == WAITING else stack


def check_prune(value: float) -> float:
    """Refuse a share that is none."""
    if not 0 <= value <= 0.5:
        raise QuestionError(f"prune={value} is not a share from 0 to 0.5")
    return value


def check_clock(value: str) -> str:
    """Refuse a clock there is not; none means `WALL`."""
    if value and value not in CLOCKS:
        raise QuestionError(f"clock={value[:40]!r} is not one of {', '.join(CLOCKS)}")
    return value or WALL


def _sums(
    connection: Connection,
    window: Window,
    releases: tuple[int, ...] | None,
    only: int | None,
    wanted: set[int],
) -> list[tuple[int, ...]]:
    sums: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for _, stack, state, *figures in _by_endpoint(connection, window, releases, only, wanted):
        _add(sums[stack, state], figures)
    return [(*key, *figures) for key, figures in sums.items()]


def _add(sums: list[int], figures: list[int]) -> None:
    for at, figure in enumerate(figures):
        sums[at] += figure


def _by_endpoint(
    connection: Connection,
    window: Window,
    releases: tuple[int, ...] | None,
    only: int | None,
    wanted: set[int],
) -> list[tuple[int, ...]]:
    """Endpoint, stack, state, samples, nanoseconds, processor time and of how many ns it is known."""
    spent = ("cpu_ns", "clocked_ns")
    if connection.schema() < _CLOCKED:
        spent = ("0 AS cpu_ns", "0 AS clocked_ns")
    keys, sums = ("endpoint_id", "stack_id", "state"), ("count", "weight_ns", *spent)
    rows = summed(connection, window, "profiles", keys, sums, releases, only, _levels(window))
    return [(*row,) for row in rows if row[0] in wanted]


def named(connection: Connection, rows: Sequence[tuple[int, ...]]) -> list[Weighed]:
    """Stacks with names instead of ids; rows are stack, state and the figures of `Weighed`."""
    heaviest = sorted(rows, key=lambda row: (-row[3], row[0], row[1]))
    kept, rest = heaviest[:_MOST_STACKS], heaviest[_MOST_STACKS:]
    stacks = names.stacks(connection, [row[0] for row in kept])
    found = [
        Weighed(told(stacks.get(stack, (names.UNKNOWN,)), state), state, *figures)
        for stack, state, *figures in kept
    ]
    if rest:
        found.append(Weighed(OTHER, 0, *map(sum, zip(*(row[2:] for row in rest), strict=True))))
    return found
