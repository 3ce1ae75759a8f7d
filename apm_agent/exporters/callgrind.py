"""The format of valgrind's callgrind, for KCachegrind and callgrind_annotate: nanoseconds by function and line."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

from apm_agent.exporters.naming import node_of, visible
from apm_agent.exporters.sampled import NOWHERE
from apm_agent.model.callgraph import Callgraph, Node
from apm_agent.model.profile import Profile

_HEAD = """# callgrind format
version: 1
creator: apm-agent
cmd: apm-agent
part: 1
{desc}
positions: line
event: ns : wall time in nanoseconds
events: ns
summary: {total}

"""
_MEASURED = "desc: Trigger: measured call by call"
_SAMPLED = "desc: Trigger: sampled; calls are not known, each arrow reads 1"
#: Read with 0, callgrind_annotate takes what the callee took for the caller's own.
_NOT_KNOWN = 1

_Key = TypeVar("_Key", str, Node)
#: A call: line in the caller, callee, its line, how often, total ns.
_Call = tuple[int, Node, int, int, int]


def export(source: Callgraph | Profile) -> bytes:
    """Out of samples each line of a function has its own time, which a callgraph cannot know."""
    body = _Body()
    if isinstance(source, Callgraph):
        desc, total = _MEASURED, _measured(source, body)
    else:
        desc, total = _SAMPLED, _sampled(source, body)
    text = _HEAD.format(desc=desc, total=total) + "".join(body.lines) + f"totals: {total}\n"
    return text.encode()


class _Body:
    """Functions with their costs; names are written once and numbered from there on."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._files: dict[str, int] = {}
        self._functions: dict[Node, int] = {}
        self._named: dict[tuple[str, str], Node] = {}

    def function(self, node: Node, costs: Iterable[tuple[int, int]], calls: Iterable[_Call]) -> None:
        """One function: (line, own ns), and the calls it makes."""
        self.lines.append(f"fl={self._file(node)}\nfn={self._name(node)}\n")
        self.lines += [f"{line} {ns}\n" for line, ns in costs]
        for line, callee, at, count, ns in calls:
            target = f"cfi={self._file(callee)}\ncfn={self._name(callee)}"
            self.lines.append(f"{target}\ncalls={count} {at}\n{line} {ns}\n")
        self.lines.append("\n")

    def _file(self, node: Node) -> str:
        return _numbered(self._files, node.path, visible(node.path) or "???")

    def _name(self, node: Node) -> str:
        name = visible(node.function).strip() or "???"
        if self._named.setdefault((node.path, name), node) != node:
            name = f"{name}:{node.line}"  # readers tell functions of one file apart by their names alone
        return _numbered(self._functions, node, name)


def _numbered(known: dict[_Key, int], key: _Key, name: str) -> str:
    number = known.get(key)
    if number is None:
        number = known[key] = len(known) + 1
        return f"({number}) {name}"
    return f"({number})"


def _measured(graph: Callgraph, body: _Body) -> int:
    calls: dict[Node, list[_Call]] = defaultdict(list)
    for callee, callers in graph.callers.items():
        for caller, call in callers.items():
            # Where in the caller it was called cProfile does not tell: its first line stands for all.
            calls[caller].append((caller.line, callee, callee.line, call.calls, call.total_ns))
    for node, call in graph.functions.items():
        body.function(node, [(node.line, call.own_ns)], calls[node])
    return sum(call.own_ns for call in graph.functions.values())


def _sampled(profile: Profile, body: _Body) -> int:
    costs: dict[Node, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    calls: dict[Node, dict[tuple[int, Node], int]] = defaultdict(lambda: defaultdict(int))
    for stack, weight in profile.items():
        places = [(node_of(frame), frame.line) for frame in stack] or [(NOWHERE, 0)]
        node, line = places[-1]
        costs[node][line] += weight
        for caller, at, callee in dict.fromkeys(_edges(places)):
            calls[caller][at, callee] += weight
    for node in {**costs, **calls}:
        made = [(line, callee, 0, _NOT_KNOWN, ns) for (line, callee), ns in calls[node].items()]
        body.function(node, costs[node].items(), made)
    return sum(profile.values())


def _edges(places: list[tuple[Node, int]]) -> Iterator[tuple[Node, int, Node]]:
    for (caller, line), (callee, _) in itertools.pairwise(places):
        yield caller, line, callee
