"""Calls to other services that ran one after another, though nothing seen here says that they had to."""

from __future__ import annotations

from collections.abc import Iterator

from apm_agent.insights.evidence import duration, same_line
from apm_agent.model.insight import Insight
from apm_agent.model.record import Record, SpanRecord
from apm_agent.model.threshold import DEFAULTS, Thresholds

_MOST = 2
_FEWEST_HOSTS = 2
#: Methods that ask and change nothing: of any other, the next call may need what it did.
_ASKING = frozenset({"GET", "HEAD"})
#: What lies between two calls and may have used the first one's answer to prepare the second.
_BETWEEN = frozenset({"db", "cache", "http", "template", "wait", "queue"})


def sequential_calls(record: Record, limits: Thresholds = DEFAULTS) -> list[Insight]:
    """Calls of own code in a row, at least `sequential_calls_count` or to two hosts, that cost much by being one.

    What side by side would save at most is their sum less the longest. Whether one needed another's answer is in
    the code and not here: so a row ends where it could be seen, at a longer gap (`sequential_calls_gap`), at a
    query between, at a call that changes something, that failed, or that asked its own address again (a page after
    another, a second try), and the text says "could".
    """
    if record.times.get("http", 0) <= limits.sequential_calls:
        return []
    found = []
    for row in _rows(record, limits.sequential_calls_gap):
        hosts = {_split(call)[1] for call in row}
        longest = max(row, key=lambda call: call.duration_ns)
        saved = sum(call.duration_ns for call in row) - longest.duration_ns
        if len(row) < limits.sequential_calls_count and len(hosts) < _FEWEST_HOSTS:
            continue
        if saved and saved >= limits.sequential_calls:
            to = f" to {len(hosts)} hosts" if len(hosts) > 1 else ""
            text = f"{len(row)} calls{to} one after another could overlap, up to {duration(saved)} less"
            found.append(Insight("sequential_calls", text, saved, len(row), row[0].where))
    return sorted(found, key=lambda insight: -insight.cost_ns)[:_MOST]


def _rows(record: Record, gap_ns: int) -> Iterator[list[SpanRecord]]:
    """Calls below one parent, none beside another, each begun soon after the one before it had ended."""
    for spans in _together(record):
        beside = _beside(spans)
        row: list[SpanRecord] = []
        for span in spans:
            alone = _asks(span) and id(span) not in beside
            if row and alone and _follows(row[-1], span, gap_ns):
                row.append(span)
                continue
            if len(row) > 1:
                yield row
            row = [span] if alone else []
        if len(row) > 1:
            yield row


def _together(record: Record) -> Iterator[list[SpanRecord]]:
    """Spans of one parent by their start; what lies in a block of the user's own stands for it."""
    children: dict[int | None, list[SpanRecord]] = {}
    for span in record.spans:
        parent = span.parent
        while parent is not None and record.spans[parent].kind == "code":
            parent = record.spans[parent].parent
        if span.kind in _BETWEEN:
            children.setdefault(parent, []).append(span)
    for parent, spans in children.items():
        # A client below a client is one call.
        if parent is None or record.spans[parent].kind != "http":
            yield sorted(spans, key=lambda span: span.offset_ns)


def _beside(spans: list[SpanRecord]) -> set[int]:
    """The ids of those that ran while another one did."""
    found: set[int] = set()
    last = spans[0]
    for span in spans[1:]:
        if span.offset_ns < last.offset_ns + last.duration_ns:
            found |= {id(last), id(span)}
        if span.offset_ns + span.duration_ns > last.offset_ns + last.duration_ns:
            last = span
    return found


def _follows(last: SpanRecord, span: SpanRecord, gap_ns: int) -> bool:
    if span.offset_ns - last.offset_ns - last.duration_ns > gap_ns:
        return False
    address = (span.tags or {}).get("url")
    return not (same_line(last.where, span.where) and address == (last.tags or {}).get("url"))


def _asks(span: SpanRecord) -> bool:
    """Whether it is a call of own code that only asks, and was answered well."""
    if span.kind != "http" or span.where is None or span.open or _split(span)[0] not in _ASKING:
        return False
    tags = span.tags or {}
    status = tags.get("status", 200)
    return "error" not in tags and isinstance(status, int) and status < 300


def _split(span: SpanRecord) -> tuple[str, str]:
    """Method and host of a span's name, which is ``GET api.example.com``."""
    method, _, host = span.name.partition(" ")
    return method, host
