"""The callgraph of a transaction, and those of many merged into one: what cProfile counted, call by call."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from apm_agent.errors import StoreError
from apm_agent.model.callgraph import Call, Callgraph, Node
from apm_agent.queries import detail
from apm_agent.queries.connection import Connection
from apm_agent.queries.window import Window

#: Most kept transactions looked into, the newest: each is a blob to unpack.
_MOST = 5000
_AT_ONCE = 200


class Merged(NamedTuple):
    """Callgraphs added up, and of how many transactions; `more` when older ones were not looked into."""

    callgraph: Callgraph
    transactions: int
    more: bool


def of_transaction(connection: Connection, number: int) -> Callgraph | None:
    """What was measured of one transaction; None when nothing was, or its detail is not in the store."""
    row = connection.row("SELECT data FROM traces WHERE transaction_id = ?", (number,))
    graph = detail.unpack(row[0]).get("callgraph") if row else None
    return read(graph) if graph else None


def of_window(
    connection: Connection,
    window: Window,
    endpoints: Collection[int],
    releases: tuple[int, ...] | None = None,
) -> Merged:
    """All that was measured of some endpoints in a window, in whatever process."""
    numbers = _kept(connection, window, endpoints, releases)
    merged, count = Callgraph(), 0
    for at in range(0, min(len(numbers), _MOST), _AT_ONCE):
        part = numbers[at : at + _AT_ONCE]
        marks = ", ".join("?" * len(part))
        for (data,) in connection.rows(f"SELECT data FROM traces WHERE transaction_id IN ({marks})", part):
            try:
                graph = detail.unpack(data).get("callgraph")
            except StoreError:  # one damaged blob is no reason to show none of the others
                continue
            if graph:
                add(merged, read(graph))
                count += 1
    return Merged(merged, count, len(numbers) > _MOST)


def read(written: dict[str, Any]) -> Callgraph:
    """The callgraph out of the lists it is kept as."""
    graph = Callgraph()
    nodes = []
    for path, line, function, *call in written.get("functions") or ():
        node = Node(path, line, function)
        nodes.append(node)
        graph.functions[node] = _plus(graph.functions.get(node), Call(*call))
        graph.callers.setdefault(node, {})
    for callee, caller, *call in written.get("callers") or ():
        callers = graph.callers[nodes[callee]]
        callers[nodes[caller]] = _plus(callers.get(nodes[caller]), Call(*call))
    return graph


def add(graph: Callgraph, other: Callgraph) -> None:
    """Add another's calls and times, function by function and caller by caller."""
    _add(graph.functions, other.functions)
    for callee, callers in other.callers.items():
        _add(graph.callers.setdefault(callee, {}), callers)


def _add(into: dict[Node, Call], calls: dict[Node, Call]) -> None:
    for node, call in calls.items():
        into[node] = _plus(into.get(node), call)


def _plus(one: Call | None, other: Call) -> Call:
    return other if one is None else Call(*(a + b for a, b in zip(one, other, strict=True)))


def _kept(
    connection: Connection, window: Window, endpoints: Iterable[int], releases: tuple[int, ...] | None
) -> list[int]:
    """Transactions with a detail, the newest first."""
    wanted = ", ".join(str(int(endpoint)) for endpoint in endpoints) or "NULL"
    only = "" if releases is None else f" AND x.release_id IN ({', '.join(map(str, releases)) or 'NULL'})"
    rows = connection.rows(
        "SELECT x.id FROM transactions x JOIN traces t ON t.transaction_id = x.id"
        f" WHERE x.endpoint_id IN ({wanted}) AND x.started_at >= ? AND x.started_at < ?{only}"
        " ORDER BY x.started_at DESC LIMIT ?",
        (window.start_ns, window.end_ns, _MOST + 1),
    )
    return [row[0] for row in rows]
