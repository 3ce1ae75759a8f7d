"""A callgraph out of samples: times are as sampled, how often anything was called is not known."""

from __future__ import annotations

import itertools
from collections import defaultdict

from apm_agent.exporters.naming import NO_FRAMES, node_of
from apm_agent.model.callgraph import Call, Callgraph, Node
from apm_agent.model.profile import Profile

#: A function's name wherever a format has no other place to say so.
MARK = "<sampled: calls are not known and read 0>"
NOWHERE = Node("~", 0, NO_FRAMES)


def callgraph_of(profile: Profile) -> Callgraph:
    """Own and total time by function and by caller; a recursion counts once in its total. Calls are 0."""
    own: dict[Node, int] = defaultdict(int)
    total: dict[Node, int] = defaultdict(int)
    own_by: dict[tuple[Node, Node], int] = defaultdict(int)
    total_by: dict[tuple[Node, Node], int] = defaultdict(int)
    for stack, weight in profile.items():
        nodes = [node_of(frame) for frame in stack] or [NOWHERE]
        edges = list(itertools.pairwise(nodes))
        own[nodes[-1]] += weight
        for node in dict.fromkeys(nodes):
            total[node] += weight
        for edge in dict.fromkeys(edges):  # not a set: the same profile is the same file
            total_by[edge] += weight
        if edges:
            own_by[edges[-1]] += weight
    graph = Callgraph()
    for node, ns in total.items():
        graph.functions[node] = Call(0, 0, own[node], ns)
        graph.callers[node] = {}
    for (caller, callee), ns in total_by.items():
        graph.callers[callee][caller] = Call(0, 0, own_by[caller, callee], ns)
    return graph
