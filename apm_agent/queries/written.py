"""Writes a transaction's detail, as it lies in the store, the way the Trace page reads it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

from apm_agent.model.origin import Origin
from apm_agent.model.profile import STATES, UNCERTAIN, WAITING, Frame, Stack
from apm_agent.queries import detail, names, phrases
from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.profile import WAITED, Profiled, Weighed, told
from apm_agent.queries.source import Sources
from apm_agent.queries.units import hex_id, millis

#: Siblings alike fold into one row from this many on.
_FOLD = 3
#: Tags that are times, and are told as such.
_TIMES = frozenset(("first_row_ns", "fetch_ns", "first_message_ns"))


class Names(NamedTuple):
    frames: dict[int, Frame]
    statements: dict[int, str]
    stacks: dict[int, Stack]
    sources: Sources

    def where(self, frame_id: int | None) -> dict[str, Any] | None:
        """A place with the text of its line."""
        frame = self.frames.get(frame_id or 0)
        return {**(names.where(frame) or {}), **self.sources.told(frame)} if frame else None


def known_names(connection: Connection, row: Row, document: dict[str, Any]) -> Names:
    spans = document.get("spans") or ()
    insights = document.get("insights") or ()
    failure = document.get("failure") or {}
    frames = (
        {span[7] for span in spans}
        | {found.get("frame_id") for found in insights}
        | {failure.get("frame_id")}
        | {blocked[2] for blocked in document.get("blocked") or ()}
    )
    texts = {span[6] for span in spans} | {found.get("statement_id") for found in insights}
    stacks = {sample[2] for sample in document.get("samples") or ()}
    stacks |= {weight[0] for weight in document.get("weights") or ()}
    return Names(
        names.frames(connection, {key for key in frames if key}),
        names.statements(connection, {key for key in texts if key}),
        names.stacks(connection, stacks),
        Sources([row[29]] if row[29] else [], row[2] / 1e9),
    )


def insights(document: dict[str, Any], known: Names, duration: int) -> list[dict[str, Any]]:
    made = []
    for found in document.get("insights") or ():
        statement = known.statements.get(found.get("statement_id") or 0)
        evidence = phrases.Evidence(
            kind=found["kind"],
            text=found.get("text") or "",
            count=found.get("count") or 1,
            cost_ns=found.get("cost_ns") or 0,
            cost_bytes=found.get("cost_bytes") or 0,
            share=min(1.0, (found.get("cost_ns") or 0) / duration) if duration else 0.0,
            where=known.frames.get(found.get("frame_id") or 0),
            statement=statement,
        )
        made.append(
            {
                "kind": evidence.kind,
                "title": phrases.title(evidence.kind),
                "why": phrases.why(evidence),
                "where": known.where(found.get("frame_id")),
                "count": 1,
                "of": 1,
                "cost_ms": millis(evidence.cost_ns),
                "total_ms": millis(evidence.cost_ns),
                "statement": {"id": str(found["statement_id"]), "text": statement} if statement else None,
                "fix": phrases.fix(evidence),
                "trace": None,
                "severity": phrases.severity(evidence),
            }
        )
    return sorted(made, key=lambda each: -each["cost_ms"])


def spans(document: dict[str, Any], known: Names) -> list[dict[str, Any]]:
    spans = document.get("spans") or ()
    keys = [f"{span[0]}:{span[1]}:{span[6] or span[2]}" for span in spans]
    often = Counter(keys)
    return [
        {
            "id": number,
            "parent": parent,
            "kind": kind,
            "name": name,
            "start_ms": millis(offset),
            "duration_ms": millis(duration),
            "self_ms": millis(own),
            "statement": {"id": str(statement)} if statement else None,
            "where": known.where(frame),
            "first_row_ms": _tagged(tags, "first_row_ns"),
            "fetch_ms": _tagged(tags, "fetch_ns"),
            "first_message_ms": _tagged(tags, "first_message_ns"),
            "tags": {name: value for name, value in (tags or {}).items() if name not in _TIMES},
            "repeats": keys[number] if often[keys[number]] >= _FOLD else None,
            "open": bool(never_closed),
        }
        for number, (
            parent,
            kind,
            name,
            offset,
            duration,
            own,
            statement,
            frame,
            tags,
            never_closed,
        ) in enumerate(spans)
    ]


def _tagged(tags: dict[str, Any] | None, name: str) -> float | None:
    value = (tags or {}).get(name)
    return millis(value) if isinstance(value, int) else None


def blocked_by(document: dict[str, Any], known: Names) -> list[dict[str, Any]]:
    """Who held the event loop while the transaction was ready to run."""
    return [
        {
            "name": name,
            "trace": hex_id(number) if number else None,
            "where": known.where(frame),
            "ms": millis(ns),
            "uncertain_ms": millis(maybe),
        }
        for name, number, frame, ns, maybe in document.get("blocked") or ()
    ]


def blocking(document: dict[str, Any]) -> dict[str, Any] | None:
    """Who waited for the event loop that it held."""
    found = document.get("blocking")
    if not found:
        return None
    return {"victims": found[0], "ms": millis(found[1]), "uncertain_ms": millis(found[2])}


def statements(document: dict[str, Any], known: Names) -> list[dict[str, Any]]:
    runs: dict[int, list[int]] = {}
    places: dict[int, Counter[int]] = {}
    for span in document.get("spans") or ():
        if span[6]:
            runs.setdefault(span[6], []).append(span[4])
            places.setdefault(span[6], Counter())[span[7] or 0] += span[4]
    made = [
        {
            "id": str(statement),
            "text": known.statements.get(statement, "(forgotten)"),
            "runs": len(durations),
            "total_ms": millis(sum(durations)),
            "mean_ms": millis(sum(durations) / len(durations)),
            "max_ms": millis(max(durations)),
            "where": known.where(places[statement].most_common(1)[0][0]),
        }
        for statement, durations in runs.items()
    ]
    return sorted(made, key=lambda each: -float(str(each["total_ms"])))


def samples(document: dict[str, Any], known: Names, state: str | None) -> dict[str, Any]:
    """Frames once, samples as indexes into them; samples past the limit have no time and are only summed."""
    index: dict[Frame, int] = {}
    chains: dict[int, list[int]] = {}
    for key, stack in known.stacks.items():
        chains[key] = [index.setdefault(frame, len(index)) for frame in stack]
    timed, spent = document.get("samples") or [], detail.clocked(document)
    waits = [index.setdefault(WAITED, len(index))] if any(each[3] == WAITING for each in timed) else []
    summed = document.get("weights") or []
    return {
        "frames": [
            {"function": frame.function, "file": frame.file, "line": frame.line, "category": frame.category}
            for frame in index
        ],
        "samples": [
            {
                "t_ms": millis(offset),
                "weight_ms": millis(weight),
                "cpu_ms": None if cpu is None else millis(cpu),
                "stack": chains.get(stack, []) + (waits if sample_state == WAITING else []),
                "state": STATES[sample_state] if 0 <= sample_state < len(STATES) else STATES[UNCERTAIN],
            }
            for (offset, weight, stack, sample_state), cpu in zip(timed, spent, strict=True)
        ],
        "sampled": {
            "interval_ms": _interval(state),
            "count": len(timed),
            "sampled_ms": millis(sum(sample[1] for sample in timed) + sum(weight[2] for weight in summed)),
            "uncertain_ms": millis(
                sum(sample[1] for sample in timed if sample[3] == UNCERTAIN)
                + sum(weight[2] for weight in summed if weight[1] == UNCERTAIN)
            ),
            "lost": document.get("lost_samples") or 0,
        },
    }


def _interval(state: str | None) -> float | None:
    """What the process said its sampler's interval was."""
    try:
        said = json.loads(state or "{}")
        interval = said["sampler"]["interval_ms"]
    except (ValueError, KeyError, TypeError):
        return None
    return float(interval) if isinstance(interval, (int, float)) else None


def profiled(document: dict[str, Any], known: Names) -> Profiled:
    stacks = [
        Weighed(told(known.stacks.get(stack, ()), state), state, *figures)
        for stack, state, *figures in detail.weighed(document)
    ]
    return Profiled(stacks, 1)


def callgraph(document: dict[str, Any], root: str | None) -> dict[str, Any] | None:
    graph = document.get("callgraph")
    if not graph:
        return None
    origin = Origin(root or "")
    functions = [
        {
            "function": function,
            "file": origin.short(path) if path not in ("~", "") else "",
            "line": line,
            "category": origin.of(path) if path not in ("~", "") else "std",
            "calls": calls,
            "own_ms": millis(own),
            "total_ms": millis(total),
        }
        for path, line, function, _primitive, calls, own, total in graph.get("functions") or ()
    ]
    functions.sort(key=lambda each: -float(each["own_ms"]))
    return {"functions": functions, "note": "measured with cProfile: times are inflated"}
