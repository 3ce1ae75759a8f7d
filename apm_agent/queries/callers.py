"""Who called whom, and for how long: a measured callgraph as the pages walk it."""

from __future__ import annotations

from typing import Any

from apm_agent.model.callgraph import Callgraph, Node
from apm_agent.model.origin import Origin
from apm_agent.queries.units import millis

#: Functions told, those that took most time themselves or with what they called.
_MOST = 400
#: What cProfile writes for a function that has no file.
_BUILT_IN = ("~", "")

NOTE = "measured with cProfile: every call counted, times inflated by the measuring, most for small functions"


def told(graph: Callgraph, root: str | None) -> dict[str, Any]:
    """Functions, most own time first, and calls as (caller, callee, calls, own and total ms of them)."""
    origin = Origin(root or "")
    by_own = sorted(graph.functions, key=lambda node: -graph.functions[node].own_ns)
    by_total = sorted(graph.functions, key=lambda node: -graph.functions[node].total_ns)
    chosen = {*by_own[: _MOST // 2], *by_total[: _MOST // 2]}
    shown = [node for node in by_own if node in chosen]
    index = {node: number for number, node in enumerate(shown)}
    return {
        "functions": [_function(node, graph, origin) for node in shown],
        "calls": [
            [index[caller], index[callee], part.calls, millis(part.own_ns), millis(part.total_ns)]
            for callee, callers in graph.callers.items()
            if callee in index
            for caller, part in callers.items()
            if caller in index
        ],
        "left_out": len(graph.functions) - len(shown),
        "note": NOTE,
    }


def _function(node: Node, graph: Callgraph, origin: Origin) -> dict[str, Any]:
    call = graph.functions[node]
    built_in = node.path in _BUILT_IN
    return {
        "function": node.function,
        "file": "" if built_in else origin.short(node.path),
        "line": node.line,
        "category": "std" if built_in else origin.of(node.path),
        "calls": call.calls,
        "own_ms": millis(call.own_ns),
        "total_ms": millis(call.total_ns),
    }
