"""Python's own profile file, as ``cProfile -o`` writes it, for pstats, snakeviz, tuna and gprof2dot."""

from __future__ import annotations

import marshal

from apm_agent.exporters.sampled import MARK, callgraph_of
from apm_agent.model.callgraph import Callgraph, Node, as_pstats
from apm_agent.model.profile import Profile

#: Readable by every Python since 3.4.
_MARSHAL = 4


def export(source: Callgraph | Profile) -> bytes:
    """The callgraph; out of samples with calls 0 and one function more, whose name says why."""
    if isinstance(source, Callgraph):
        return marshal.dumps(as_pstats(_printable(source)), _MARSHAL)
    stats = as_pstats(_printable(callgraph_of(source)))
    stats["~", 0, MARK] = (0, 0, 0.0, 0.0, {})
    return marshal.dumps(stats, _MARSHAL)


def _printable(graph: Callgraph) -> Callgraph:
    """Half surrogate pairs written out: no reader could print them. Functions stay as many as they were."""
    odd = [node for node in graph.functions if not (_fine(node.path) and _fine(node.function))]
    if not odd:
        return graph
    names = {node: node for node in graph.functions}
    for node in odd:
        name = Node(_written(node.path), node.line, _written(node.function))
        while name in names:
            name = name._replace(function=f"{name.function}'")
        names[node] = name
        names[name] = name
    made = Callgraph()
    made.functions = {names[node]: call for node, call in graph.functions.items()}
    made.callers = {
        names[callee]: {names.get(caller, caller): call for caller, call in callers.items()}
        for callee, callers in graph.callers.items()
    }
    return made


def _fine(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _written(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
