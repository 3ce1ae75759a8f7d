"""What was measured on demand of an endpoint: which transactions, and their results merged."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from apm_agent.errors import QuestionError, StoreError
from apm_agent.model.arm import CAPTURES, CPROFILE, LINES, MEMORY
from apm_agent.model.callgraph import Callgraph
from apm_agent.queries import callers, captured, detail
from apm_agent.queries.callgraph import add, read
from apm_agent.queries.connection import Connection
from apm_agent.queries.scope import Scope
from apm_agent.queries.source import Sources
from apm_agent.queries.units import hex_id, kb, millis
from apm_agent.queries.window import Window

#: Newest transactions gone through for those that were measured, and most of these unpacked.
_MOST_ROWS, _MOST = 200_000, 100
_MOST_PLACES = 60

Document = dict[str, Any]


class _Measured(NamedTuple):
    row: dict[str, Any]
    document: Document
    root: str
    started: float
    overlap: int


def captures(
    connection: Connection, window: Window, scope: Scope, endpoints: Collection[int], capture: str = ""
) -> dict[str, Any]:
    """The newest measured transactions of some endpoints, and of each way of measuring the sum of all."""
    return _summed(_measured(connection, scope, *_newest(window, scope, endpoints)), capture)


def of_transaction(connection: Connection, scope: Scope, number: int) -> dict[str, Any]:
    """What was measured of one transaction, whenever it was, in the same form."""
    return _summed(_measured(connection, scope, "SELECT * FROM transactions WHERE id = ?", (number,)))


def _summed(measured: list[_Measured], capture: str = "") -> dict[str, Any]:
    """Measured transactions as the API writes them, all or those measured in one way."""
    if capture and capture not in CAPTURES:
        raise QuestionError(f"capture={capture[:40]!r} is not one of {', '.join(CAPTURES)}")
    found = [each for each in measured if not capture or each.row["capture"] == capture]
    of = {way: [each for each in found if each.row["capture"] == way] for way in CAPTURES}
    return {
        "captures": [each.row for each in found],
        "callgraph": _callgraph(of[CPROFILE]),
        "lines": _lines(of[LINES]),
        "memory": _memory(of[MEMORY]),
        "more": len(found) >= _MOST,
    }


def _newest(window: Window, scope: Scope, endpoints: Collection[int]) -> tuple[str, tuple[int, ...]]:
    """The rows of the newest measured transactions, as SQL and its parameters."""
    return (
        "SELECT * FROM (SELECT * FROM transactions"
        f" WHERE {_where(endpoints)}started_at >= ? AND started_at < ?{_released(scope)}"
        " ORDER BY started_at DESC LIMIT ?) WHERE kept = 'captured' ORDER BY started_at DESC LIMIT ?",
        (window.start_ns, window.end_ns, *(scope.releases or ()), _MOST_ROWS, _MOST),
    )


def _measured(
    connection: Connection, scope: Scope, chosen: str, parameters: tuple[int, ...]
) -> list[_Measured]:
    rows = connection.rows(
        "SELECT x.id, x.endpoint_id, x.started_at, x.duration_ns, x.overlap, x.rss_before, x.rss_after, p.host, p.pid,"
        f" p.app_root, r.version, t.data FROM ({chosen}) x"
        " JOIN traces t ON t.transaction_id = x.id LEFT JOIN processes p ON p.id = x.process_id"
        " LEFT JOIN releases r ON r.id = x.release_id ORDER BY x.started_at DESC",
        parameters,
    )
    found = []
    for number, endpoint, started, duration, overlap, before, after, host, pid, root, version, data in rows:
        if endpoint not in scope.endpoints:
            continue
        try:
            document = detail.unpack(data)
        except StoreError:  # one damaged blob is no reason to show none of the others
            continue
        said = captured.captured(document)
        if said is None:
            continue
        row = {
            "id": hex_id(number),
            "t": started / 1e9,
            "name": scope.endpoints[endpoint].name,
            "kind": scope.endpoints[endpoint].kind,
            "service": scope.endpoints[endpoint].service,
            **said,
            "duration_ms": millis(duration),
            "rss_kb": kb(after - before) if before is not None and after is not None else None,
            "kept_kb": kb((document.get("memory") or {}).get("kept")),
            "overlap": overlap,
            "host": host or "",
            "pid": pid or 0,
            "release": version or None,
        }
        found.append(_Measured(row, document, root or "", started / 1e9, overlap))
    return found


def _where(endpoints: Collection[int]) -> str:
    """One endpoint is sought by its own index; several are told apart afterwards."""
    return f"endpoint_id = {int(next(iter(endpoints)))} AND " if len(endpoints) == 1 else ""


def _released(scope: Scope) -> str:
    return "" if scope.releases is None else f" AND release_id IN ({', '.join('?' * len(scope.releases))})"


def _callgraph(many: list[_Measured]) -> dict[str, Any] | None:
    merged, count = Callgraph(), 0
    for each in many:
        if each.document.get("callgraph"):
            add(merged, read(each.document["callgraph"]))
            count += 1
    return {"transactions": count, **callers.told(merged, many[0].root)} if count else None


def _lines(many: list[_Measured]) -> dict[str, Any] | None:
    """Hits and time of each line, added up over all of them."""
    functions: dict[tuple[str, str, int], dict[int, list[int]]] = {}
    count = 0
    for each in many:
        count += bool(each.document.get("lines"))
        for path, function, first, timed in each.document.get("lines") or ():
            lines = functions.setdefault((path, function, first), {})
            for line, hits, ns in timed:
                known = lines.setdefault(line, [0, 0])
                known[0] += hits
                known[1] += ns
    if not count:
        return None
    summed = [
        (*function, sorted((line, hits, ns) for line, (hits, ns) in lines.items()))
        for function, lines in functions.items()
    ]
    sources = _sources(many)
    return {"transactions": count, "functions": captured.lines({"lines": summed}, sources, many[0].root)}


def _memory(many: list[_Measured]) -> dict[str, Any] | None:
    """What stayed, by line and by type, added up; each place with in how many of them it kept any."""
    said = [each for each in many if each.document.get("memory")]
    if not said:
        return None
    lines: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    types: dict[str, list[Any]] = defaultdict(lambda: [0, 0, None])
    holders: dict[str, Counter[str]] = defaultdict(Counter)
    for each in said:
        memory = each.document["memory"]
        for path, line, size, blocks in memory["lines"]:
            _sum(lines[path, line], size, blocks, 1)
        for kind, by, place in memory["types"]:
            _sum(types[kind], by, 1)
            types[kind][2] = types[kind][2] or place
        for kind, told in memory["holders"]:
            for what, number in told:
                holders[kind][what] += number
    merged = {
        "kept": sum(each.document["memory"]["kept"] for each in said),
        "peak": max((each.document["memory"]["peak"] or 0 for each in said), default=0),
        "took": sum(each.document["memory"]["took"] for each in said),
        "objects": sum(each.document["memory"]["objects"] for each in said),
        "lines": [(*place, *sums[:2]) for place, sums in _most(lines.items(), 0)],
        "types": [(kind, sums[0], sums[2]) for kind, sums in _most(types.items(), 0)],
        "holders": [(kind, told.most_common(8)) for kind, told in holders.items()],
    }
    shown = captured.memory(
        {"memory": merged}, _sources(many), said[0].root, sum(each.overlap for each in said)
    )
    assert shown is not None  # it has memory
    for line, (_, sums) in zip(shown["lines"], _most(lines.items(), 0), strict=True):
        line["transactions"] = sums[2]
    for kind, (_, sums) in zip(shown["types"], _most(types.items(), 0), strict=True):
        kind["transactions"] = sums[1]
    return {"transactions": len(said), **shown, "shared": sum(bool(each.overlap) for each in said)}


def _sum(into: list[Any], *values: int) -> None:
    for at, value in enumerate(values):
        into[at] += value


def _most(items: Iterable[tuple[Any, list[Any]]], at: int) -> list[tuple[Any, list[Any]]]:
    return sorted(items, key=lambda item: -item[1][at])[:_MOST_PLACES]


def _sources(many: list[_Measured]) -> Sources:
    return Sources({each.root for each in many if each.root}, max(each.started for each in many))
