"""A callgraph: callers and callees as cProfile counts them."""

from __future__ import annotations

from typing import Any, NamedTuple


class Node(NamedTuple):
    """A function as cProfile names it: file, first line, function."""

    path: str
    line: int
    function: str


class Call(NamedTuple):
    """Calls counted: primitive calls, all calls, own time and total time in ns."""

    primitive: int
    calls: int
    own_ns: int
    total_ns: int


class Callgraph:
    """What cProfile measured: each function's totals, and the same per caller.

    `functions[node]` is a `Call`; `callers[node][caller]` is the part of it that `caller` made.
    """

    __slots__ = ("callers", "functions")

    def __init__(self) -> None:
        self.functions: dict[Node, Call] = {}
        self.callers: dict[Node, dict[Node, Call]] = {}


def as_pstats(graph: Callgraph) -> dict[tuple[str, int, str], Any]:
    """The callgraph as the module pstats keeps it: seconds, and a caller's two counts the other way round."""
    return {
        _key(node): (
            call.primitive, call.calls, call.own_ns / 1e9, call.total_ns / 1e9,
            {
                _key(caller): (part.calls, part.primitive, part.own_ns / 1e9, part.total_ns / 1e9)
                for caller, part in graph.callers.get(node, {}).items()
            },
        )
        for node, call in graph.functions.items()
    }  # fmt: skip


def _key(node: Node) -> tuple[str, int, str]:
    return node.path, node.line, node.function  # a plain tuple: marshal takes no other
