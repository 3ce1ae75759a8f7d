"""Chrome's trace events (Perfetto, chrome://tracing): one transaction, spans and samples on one axis."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from apm_agent.exporters.naming import NO_FRAMES, label
from apm_agent.model.profile import STATES, Stack
from apm_agent.model.record import Record, SpanRecord

_SPANS, _GC, _SAMPLES, _UNTIMED = 1, 900, 1000, 2000
_STATES_NAMED = dict(enumerate(STATES))
_NOTE = "sampled past the limit: laid end to end, their times are not known"


class _Slice(NamedTuple):
    """A stack from `start` to `end`."""

    start: int
    end: int
    stack: Stack
    state: int


def export(record: Record) -> bytes:
    """Times count from the transaction's start, in microseconds with three decimals, which are nanoseconds."""
    events = [
        *_named(_SPANS, "spans"),
        _event("X", record.name, _SPANS, 0, dur=record.duration_ns, cat=record.kind, args=_facts(record)),
        *_spans(record.spans),
        *_pauses(record),
        *(
            _event("C", "resident memory", _SPANS, at, args={"bytes": size})
            for at, size in record.rss_curve or ()
        ),
        *_samples(record),
    ]
    document = {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {"exporter": "apm-agent", "lost_samples": record.lost_samples},
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _event(phase: str, name: str, track: int, at: int, dur: int | None = None, **more: Any) -> dict[str, Any]:
    event = {"ph": phase, "name": name, "pid": 1, "tid": track, "ts": at / 1000, **more}
    if dur is not None:
        event["dur"] = dur / 1000
    return event


def _named(track: int, name: str) -> Iterator[dict[str, Any]]:
    if track == _SPANS:
        yield {"ph": "M", "name": "process_name", "pid": 1, "tid": track, "args": {"name": "transaction"}}
    yield {"ph": "M", "name": "thread_name", "pid": 1, "tid": track, "args": {"name": name}}
    yield {"ph": "M", "name": "thread_sort_index", "pid": 1, "tid": track, "args": {"sort_index": track}}


def _facts(record: Record) -> dict[str, Any]:
    started = {"started_at": record.started_at / 1e9, "id": format(record.id & (2**64 - 1), "016x")}
    return started | {"status": record.status, "cpu_ns": record.cpu_ns, "queue_ns": record.queue_ns}


def _spans(spans: list[SpanRecord]) -> Iterator[dict[str, Any]]:
    """Each span on the first track where what is there encloses it or is over: tracks hold nested slices only."""
    open_until: list[list[int]] = []
    order = sorted(spans, key=lambda span: (span.offset_ns, -span.duration_ns))
    for span in order:
        end = span.offset_ns + span.duration_ns
        lane = _lane(open_until, span.offset_ns, end)
        if lane == len(open_until) - 1 and len(open_until[lane]) == 1 and lane:
            yield from _named(_SPANS + lane, "spans at the same time")
        arguments = {**(span.tags or {}), "self_ns": span.self_ns}
        if span.statement:
            arguments["statement"] = span.statement
        if span.where:
            arguments["where"] = label(span.where)
        yield _event(
            "X", span.name, _SPANS + lane, span.offset_ns, span.duration_ns, cat=span.kind, args=arguments
        )


def _lane(lanes: list[list[int]], start: int, end: int) -> int:
    for number, ends in enumerate(lanes):
        while ends and ends[-1] <= start:
            ends.pop()
        if not ends or end <= ends[-1]:
            ends.append(end)
            return number
    lanes.append([end])
    return len(lanes) - 1


def _pauses(record: Record) -> Iterator[dict[str, Any]]:
    if record.gc_pauses:
        yield from _named(_GC, "garbage collection")
    for at, ns, generation in record.gc_pauses:
        yield _event("X", f"generation {generation}", _GC, at, ns, cat="gc")


def _samples(record: Record) -> Iterator[dict[str, Any]]:
    """A sample is worth the time up to its look; where several threads worked at once, each has its track."""
    lanes: list[list[_Slice]] = []
    for sample in sorted(record.samples, key=lambda each: (each.offset_ns - each.weight_ns, each.offset_ns)):
        start = sample.offset_ns - sample.weight_ns
        free = next((lane for lane in lanes if lane[-1].end <= start), None)
        if free is None:
            lanes.append(free := [])
        free.append(_Slice(start, sample.offset_ns, sample.stack, sample.state))
    for number, lane in enumerate(lanes):
        yield from _named(_SAMPLES + number, f"samples {number + 1}" if number else "samples")
        yield from _flame(lane, _SAMPLES + number)
    if record.weights:
        yield from _named(_UNTIMED, _NOTE)
        yield from _flame(list(_laid(record)), _UNTIMED)


def _laid(record: Record) -> Iterator[_Slice]:
    at = 0
    for (stack, state), ns in record.weights.items():
        yield _Slice(at, at + ns, stack, state)
        at += ns


def _flame(slices: Iterable[_Slice], track: int) -> Iterator[dict[str, Any]]:
    """Neighbours that begin alike share the slices of what they have in common."""
    #: open slices, outermost first: name, start, state
    running: list[tuple[str, int, int]] = []
    last = None
    for each in slices:
        names = [label(frame) for frame in each.stack] or [NO_FRAMES]
        shared = _shared(running, names, each.state) if last == each.start else 0
        yield from _closed(running, shared, last or 0, track)
        running += [(name, each.start, each.state) for name in names[shared:]]
        last = each.end
    yield from _closed(running, 0, last or 0, track)


def _shared(running: list[tuple[str, int, int]], names: list[str], state: int) -> int:
    same = 0
    for (name, _, before), wanted in zip(running, names, strict=False):
        if name != wanted or before != state:
            break
        same += 1
    return same


def _closed(
    running: list[tuple[str, int, int]], down_to: int, end: int, track: int
) -> Iterator[dict[str, Any]]:
    while len(running) > down_to:
        name, start, state = running.pop()
        yield _event("X", name, track, start, end - start, cat=_STATES_NAMED.get(state, STATES[1]))
