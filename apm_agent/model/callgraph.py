"""A callgraph: callers and callees as cProfile counts them."""

from __future__ import annotations

from typing import NamedTuple


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
