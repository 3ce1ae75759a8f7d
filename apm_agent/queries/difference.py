"""The difference of two profiles, each scaled to one call: by function, and as a tree for a difference flame graph.

Scaling is one division of integers, so that a figure per call is exact to the last bit a float has.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from apm_agent.model.profile import Frame
from apm_agent.queries.profile import Profiled

#: A function is told apart by its name and file: lines move from release to release.
Function = tuple[str, str]

OWN, TOTAL = "own", "total"
_MOST_FUNCTIONS = 200
#: So many standard deviations a change must be away from none; of a hundred functions none then is by chance.
_SURE = 3.0


def per_call(ns: int, calls: int) -> float:
    """Nanoseconds a call; none of anything in no calls."""
    return ns / calls if calls else 0.0


class _Sums:
    """Own and total nanoseconds by function of one side, and the line of each that most of it lies in."""

    def __init__(self, parts: Sequence[Profiled]) -> None:
        self.calls = sum(part.transactions for part in parts)
        self.own: dict[Function, int] = defaultdict(int)
        self.total: dict[Function, int] = defaultdict(int)
        self._spread: dict[tuple[str, Function], float] = defaultdict(float)
        self._lines: dict[Function, dict[Frame, int]] = defaultdict(lambda: defaultdict(int))
        samples = sum(part.samples for part in parts)
        self._each_ns = sum(part.total_ns for part in parts) / samples if samples else 0.0
        for part in parts:
            self._add(part)

    def _add(self, part: Profiled) -> None:
        own: dict[Function, int] = defaultdict(int)
        total: dict[Function, int] = defaultdict(int)
        for weighed in part.stacks:
            for function in {_function(frame) for frame in weighed.stack}:
                total[function] += weighed.weight_ns
            for frame in weighed.stack:
                self._lines[_function(frame)][frame] += weighed.weight_ns
            if weighed.stack:
                own[_function(weighed.stack[-1])] += weighed.weight_ns
        for name, here, sums in ((OWN, own, self.own), (TOTAL, total, self.total)):
            for function, ns in here.items():
                sums[function] += ns
                # Samples fall at random, but those of one call are no independent witnesses: a call is one at most,
                # and how many calls this endpoint got is chance too.
                self._spread[name, function] += ns * max(self._each_ns, ns / max(1, part.transactions))

    def frame(self, function: Function) -> Frame | None:
        lines = self._lines.get(function)
        return max(lines, key=lambda frame: (lines[frame], frame)) if lines else None

    def samples(self, ns: int) -> int:
        """About how many samples these nanoseconds are."""
        return round(ns / self._each_ns) if self._each_ns else 0

    def variance(self, name: str, function: Function) -> float:
        """Of nanoseconds a call."""
        return self._spread.get((name, function), 0.0) / self.calls**2 if self.calls else 0.0

    def figures(self, function: Function) -> dict[str, Any]:
        own, total = self.own.get(function, 0), self.total.get(function, 0)
        return {
            "own_ms": per_call(own, self.calls) / 1e6,
            "total_ms": per_call(total, self.calls) / 1e6,
            "own_samples": self.samples(own),
            "total_samples": self.samples(total),
        }


def functions(before: Sequence[Profiled], after: Sequence[Profiled], thin: bool) -> list[dict[str, Any]]:
    """Each function a call before and after; ranked by what surely changed most, unless there is too little to rank."""
    a, b = _Sums(before), _Sums(after)
    rows = [_row(function, a, b, thin) for function in {**a.total, **b.total}]
    if thin:
        rows.sort(key=lambda row: (-max(row["before"]["total_ms"], row["after"]["total_ms"]), *_named(row)))
        return sorted(rows[:_MOST_FUNCTIONS], key=_named)
    rows.sort(
        key=lambda row: (
            not row["significant"], -abs(row["own_change_ms"]), -abs(row["total_change_ms"]), *_named(row),
        )
    )  # fmt: skip
    return rows[:_MOST_FUNCTIONS]


def _named(row: dict[str, Any]) -> tuple[str, str]:
    """What orders functions of which nothing else says which comes first."""
    return row["file"], row["function"]


def _row(function: Function, a: _Sums, b: _Sums, thin: bool) -> dict[str, Any]:
    frame = b.frame(function) or a.frame(function) or Frame(*function, 0)
    before, after = a.figures(function), b.figures(function)
    own = _sureness(a, b, OWN, function, after["own_ms"] - before["own_ms"])
    total = _sureness(a, b, TOTAL, function, after["total_ms"] - before["total_ms"])
    return {
        "function": frame.function,
        "file": frame.file,
        "line": frame.line,
        "category": frame.category,
        "before": before,
        "after": after,
        "own_change_ms": after["own_ms"] - before["own_ms"],
        "total_change_ms": after["total_ms"] - before["total_ms"],
        "own_sureness": own,
        "total_sureness": total,
        "significant": not thin and max(abs(own or 0.0), abs(total or 0.0)) >= _SURE,
    }


def _sureness(a: _Sums, b: _Sums, name: str, function: Function, change_ms: float) -> float | None:
    """How many standard deviations the change is away from none; None where one side has no calls."""
    if not a.calls or not b.calls:
        return None
    spread = math.sqrt(a.variance(name, function) + b.variance(name, function))
    return round(change_ms * 1e6 / spread, 2) if spread else 0.0


def _function(frame: Frame) -> Function:
    return frame.function, frame.file


class _Node:
    __slots__ = ("children", "frame", "ns")

    def __init__(self, frame: int) -> None:
        self.frame = frame
        self.children: dict[Function, _Node] = {}
        #: total before, total after, own before, own after
        self.ns = [0, 0, 0, 0]


def flame(before: Sequence[Profiled], after: Sequence[Profiled], prune: float) -> dict[str, Any]:
    """Both profiles as one tree in columns, parents first; node 0 is everything. What is small on both sides is cut."""
    frames: dict[Function, Frame] = {}
    index: dict[Function, int] = {}
    root = _Node(-1)
    for side, parts in enumerate((before, after)):
        for weighed in (each for part in parts for each in part.stacks):
            node = root
            node.ns[side] += weighed.weight_ns
            for frame in weighed.stack:
                function = _function(frame)
                frames[function] = frame
                child = node.children.get(function)
                if child is None:
                    child = node.children[function] = _Node(index.setdefault(function, len(index)))
                node = child
                node.ns[side] += weighed.weight_ns
            node.ns[2 + side] += weighed.weight_ns
    calls = sum(part.transactions for part in before), sum(part.transactions for part in after)
    return {
        **_columns(root, [frames[function] for function in index], calls, prune),
        "calls": {"before": calls[0], "after": calls[1]},
        "samples": {
            "before": sum(part.samples for part in before),
            "after": sum(part.samples for part in after),
        },
    }


def _columns(root: _Node, frames: list[Frame], calls: tuple[int, int], prune: float) -> dict[str, Any]:
    names = ("before_ns", "after_ns", "before_own_ns", "after_own_ns")
    nodes: dict[str, list[Any]] = {name: [] for name in ("parent", "frame", *names)}
    least = prune * max(_scaled(root, calls)[:2])
    used: dict[int, int] = {}
    todo = [(-1, root)]
    while todo:
        parent, node = todo.pop()
        figures = _scaled(node, calls)
        if parent >= 0 and max(figures[:2]) < least:
            continue
        number = len(nodes["parent"])
        nodes["parent"].append(parent)
        nodes["frame"].append(used.setdefault(node.frame, len(used)) if node.frame >= 0 else -1)
        for name, value in zip(names, figures, strict=True):
            nodes[name].append(value)
        todo += [(number, child) for child in reversed(node.children.values())]
    kept = [frames[each] for each in used]
    return {
        "frames": {
            name: [getattr(frame, name) for frame in kept]
            for name in ("function", "file", "line", "category")
        },
        "nodes": nodes,
    }


def _scaled(node: _Node, calls: tuple[int, int]) -> tuple[float, ...]:
    return tuple(per_call(ns, calls[at % 2]) for at, ns in enumerate(node.ns))
