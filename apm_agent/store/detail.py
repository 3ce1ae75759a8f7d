"""Packs what one transaction did, spans and samples, into one compressed blob of dictionary ids.

The format is zlib over JSON; ids are those of the tables `statements`, `frames` and `stacks`, times are
nanoseconds and offsets count from the transaction's start. Readers know it from here:

    {"v": 1,
     "spans": [[parent|null, kind, name, offset, duration, self, statement|null, frame|null, tags|null,
                open 0/1]],
     "lost": [[kind, name, count, ns]],  "samples": [[offset, weight, stack, state]],
     "weights": [[stack, state, ns]],  "lost_samples": n,  "gc": [[offset, ns, generation]],
     "rss": [[offset, bytes]],  "context": {}|null,
     "failure": {"type", "message", "frame_id", "stack": [frame, outermost first]}|null,
     "insights": [{"kind", "text", "cost_ns", "cost_bytes", "count", "frame_id", "statement_id"}],
     "callgraph": null|{"functions": [[path, line, function, primitive, calls, own, total]],
                        "callers": [[callee index, caller index, primitive, calls, own, total]]},
     "captured": [what was measured on demand, the arm's id or ""]|null,
     "lines": [[path, function, first line, [[line, hits, ns]]]],
     "blocked": [[endpoint's name, transaction id|null, frame|null, ns, ns more that are uncertain]],
     "blocking": [how many waited for it, ns, ns more that are uncertain]|null,
     "cpu": [processor time of each of the samples|null],
     "weights_cpu": [[processor time of each of the weights, of how much of its ns it is known]],
     "log": [[offset, level, logger, text]],
     "memory": null|{"kept": bytes, "peak": bytes|null, "lines": [[path, line, bytes, blocks]],
                     "types": [[type, how many more, [path, line]|null]], "holders": [[type, [[text, count]]]],
                     "objects": how many there were, "took": ns}}
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from apm_agent.model.callgraph import Callgraph
from apm_agent.model.record import Record
from apm_agent.store.dictionaries import Dictionaries

VERSION = 1
_MOST_FUNCTIONS = 3000
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False, allow_nan=False).encode


def pack(record: Record, ids: Dictionaries) -> bytes:
    """The blob of `traces.data`; level 1, because more costs more time than it saves bytes."""
    return zlib.compress(_encode(plain(record, ids)).encode(), 1)


def unpack(data: bytes) -> dict[str, Any]:
    """What `pack` packed."""
    made: dict[str, Any] = json.loads(zlib.decompress(data))
    return made


def plain(record: Record, ids: Dictionaries) -> dict[str, Any]:
    """The same as lists and numbers."""
    statement, frame, stack = ids.statement, ids.frame, ids.stack
    failure = record.failure
    return {
        "v": VERSION,
        "spans": [
            (
                span.parent, span.kind, span.name, span.offset_ns, span.duration_ns, span.self_ns,
                statement(span.statement) or None, frame(span.where) or None, span.tags, int(span.open),
            )
            for span in record.spans
        ],
        "lost": record.lost,
        "samples": [(s.offset_ns, s.weight_ns, stack(s.stack), s.state) for s in record.samples],
        "weights": [(stack(key), state, ns) for (key, state), ns in record.weights.items()],
        "cpu": [s.cpu_ns for s in record.samples],
        "weights_cpu": [record.clocked.get(place, (0, 0)) for place in record.weights],
        "lost_samples": record.lost_samples,
        "gc": record.gc_pauses,
        "rss": record.rss_curve or [],
        "context": record.context,
        "failure": None
        if failure is None
        else {
            "type": failure.type, "message": failure.message, "frame_id": frame(failure.where) or None,
            "stack": [frame(each) for each in failure.stack],
        },
        "insights": [
            {
                "kind": found.kind, "text": found.text, "count": found.count,
                "cost_ns": found.cost_ns, "cost_bytes": found.cost_bytes,
                "frame_id": frame(found.where) or None, "statement_id": statement(found.statement) or None,
            }
            for found in record.insights
        ],
        "callgraph": None if record.callgraph is None else _callgraph(record.callgraph),
        "captured": record.captured,
        "memory": record.memory,
        "log": record.log,
        "blocked": [(b.name, b.record_id, frame(b.where) or None, b.ns, b.maybe_ns) for b in record.blocked],
        "blocking": record.blocking,
        "lines": [
            (*function, sorted((line, hits, ns) for line, (hits, ns) in lines.items()))
            for function, lines in (record.lines or {}).items()
        ],
    }  # fmt: skip


def _callgraph(graph: Callgraph) -> dict[str, list[Any]]:
    # The heaviest functions only: a graph may name every function of every library.
    ranked = sorted(graph.functions.items(), key=lambda item: -item[1].total_ns)[:_MOST_FUNCTIONS]
    at = {node: index for index, (node, _) in enumerate(ranked)}
    return {
        "functions": [(*node, *call) for node, call in ranked],
        "callers": [
            (at[callee], at[caller], *call)
            for callee, callers in graph.callers.items()
            if callee in at
            for caller, call in callers.items()
            if caller in at
        ],
    }
