"""Makes a finished transaction a record: all the work its request could not afford."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from apm_agent.clock import Clock, system
from apm_agent.config import Config
from apm_agent.errors import contained
from apm_agent.model.insight import Insight
from apm_agent.model.origin import Origin
from apm_agent.model.profile import Stack, StackKey
from apm_agent.model.record import FailureRecord, Record, SpanRecord
from apm_agent.model.scrub import scrub_kept, scrub_mapping
from apm_agent.model.span import Span
from apm_agent.model.statement import normalise, summary
from apm_agent.model.transaction import CAPTURED, LINES, MEMORY, TIMED_KINDS, TRACE, Transaction
from apm_agent.profiling.frames import frame_of, resolve
from apm_agent.recording import spending, waited
from apm_agent.recording.keeping import Keeper
from apm_agent.tracing.identity import RANDOM_BITS, identity_of
from apm_agent.tracing.lines import KEY as LOG

Rule = Callable[[Record], "Insight | list[Insight] | None"]

_LONGEST_NAME = 200
_MOST_NAMES = 1_000
_MOST_CACHED = 10_000
_MOST_INSIGHTS = 20
_DRAWN = (1 << RANDOM_BITS) - 1
OTHER = "(other)"

_judging = contained("looking for insights")


class Digest:
    """Turns transactions into records: names, statements, own times, insights, and what is worth keeping.

    Endpoints past the first thousand of a process share the name ``(other)``.
    """

    def __init__(
        self, config: Config, origin: Origin, insights: Sequence[Rule] = (), clock: Clock = system
    ) -> None:
        self._origin = origin
        self._insights = tuple(insights)
        self._clock = clock
        self._keeper = Keeper(int(config.slow * 1e9), config.max_details)
        self._names: set[tuple[str, str]] = set()
        self._paths: dict[str, str] = {}
        self._stacks: dict[tuple[int, ...], tuple[StackKey, Stack]] = {}

    def digest(self, transaction: Transaction) -> Record:
        """The record of a transaction that has ended."""
        started = self._clock.wall_at(transaction.start_ns)
        identity = identity_of(transaction, started)
        record = Record(
            id=identity,
            kind=transaction.kind,
            name=self._name(transaction.kind, transaction.name),
            started_at=started,
            duration_ns=max(0, transaction.end_ns - transaction.start_ns),
            method=_text(transaction.method, 20),
            path=self._path(transaction.path),
            view=_text(transaction.view, _LONGEST_NAME),
            status=_status(transaction.status),
            queue_ns=transaction.queue_ns,
            first_byte_ns=transaction.first_byte_ns,
            cpu_ns=transaction.cpu_ns,
            rss_before=transaction.rss_before,
            rss_after=transaction.rss_after,
            overlap=transaction.overlap,
            lost_samples=transaction.lost_samples,
            callgraph=transaction.callgraph() if transaction.callgraph is not None else None,
        )
        self._fill(record, transaction)
        record.slow = self._keeper.is_slow(record, transaction.end_ns)
        if record.kind in TIMED_KINDS:
            self._judge(record)
        self._keeper.decide(record, identity & _DRAWN, transaction.end_ns)
        return record

    def _fill(self, record: Record, transaction: Transaction) -> None:
        start = transaction.start_ns
        pauses = transaction.gc_pauses
        if pauses:
            record.gc_pauses = [(p.start_ns - start, p.duration_ns, p.generation) for p in pauses]
        self._add_spans(record, transaction)
        if transaction.samples or transaction.waits:
            waited.sampled(record, transaction, self._stack)
        if transaction.blocked:
            record.blocked = waited.blocked_by(transaction.blocked, self._stack)
        if transaction.blocking is not None:
            record.blocking = waited.blocking(transaction.blocking, record.id)
        if transaction.weights:
            waited.summed(record, transaction.weights, transaction.clocked or {}, self._stack)
        if transaction.failure is not None:
            kind, message, place_of_failure, places = transaction.failure
            where = None if place_of_failure is None else frame_of(place_of_failure, self._origin)
            stack = tuple(frame_of(place, self._origin) for place in places)
            record.failure = FailureRecord(
                _clean(kind, _LONGEST_NAME), scrub_kept("message", message), where, stack
            )
        if transaction.context:
            record.context = scrub_mapping(transaction.context)
        if transaction.notes:
            trace = transaction.notes.get(TRACE)
            if trace is not None:  # past the scrubbing, which takes such an id for a secret
                record.context = {**_trace(trace), **(record.context or {})}
            record.captured = transaction.notes.get(CAPTURED)
            record.memory = transaction.notes.get(MEMORY)
            record.lines = transaction.notes.get(LINES)
            if record.failed:
                record.log = [
                    (
                        line.at_ns - start,
                        line.level,
                        _clean(line.logger, _LONGEST_NAME),
                        scrub_kept("log", line.text),
                    )
                    for line in transaction.notes.get(LOG, ())
                ]
        if transaction.rss_curve:
            record.rss_curve = [(at - start, size) for at, size in transaction.rss_curve]

    def _add_spans(self, record: Record, transaction: Transaction) -> None:
        duration = record.duration_ns
        spans = transaction.spans
        intervals = _intervals(spans, transaction.start_ns, duration)
        nested = spending.is_nested(intervals)
        own = spending.own_times(intervals, nested)
        pauses = [(max(0, at), min(at + ns, duration)) for at, ns, _ in record.gc_pauses if at < duration]
        times = record.times = spending.by_kind(intervals, own, pauses, duration, nested)
        if transaction.queue_ns:
            times["queue"] = transaction.queue_ns
        record.spans = [
            self._span(span, interval, ns) for span, interval, ns in zip(spans, intervals, own, strict=True)
        ]
        # A connect or a commit is time in the database, but no query.
        record.queries = sum(1 for span in spans if span.statement is not None)
        if transaction.overflow:
            self._add_lost(record, transaction.overflow)

    def _span(self, span: Span, interval: spending.Interval, own: int) -> SpanRecord:
        statement, name, tags, place = None, span.name, span.tags, span.place
        if span.kind == "db" and span.statement is not None:
            statement = normalise(span.statement)
            name = summary(statement)
        if span.fetched is not None:
            tags = {**(tags or {}), **span.fetched.tags(span.end_ns - span.start_ns)}
        kept = scrub_mapping(tags) if tags else None
        return SpanRecord(
            interval.parent,
            span.kind,
            _clean(name, _LONGEST_NAME),
            interval.begin,
            interval.end - interval.begin,
            own,
            statement,
            None if place is None else frame_of(place, self._origin),
            kept,
            not span.end_ns,
            None if place is None or len(place) == 2 else frame_of((place[2], -1), self._origin),
        )

    def _add_lost(self, record: Record, overflow: dict[tuple[str, str], list[int]]) -> None:
        times = record.times
        for (kind, name), (count, ns) in overflow.items():
            record.lost.append((kind, _clean(name or "statements", _LONGEST_NAME), count, ns))
            if kind == "db" and not name:  # statements get their name here, from their text
                record.queries += count
            if kind in spending.CLAIMING:
                # Where they lay is not known; they can have taken no more than what nothing else took.
                taken = min(ns, times[spending.PYTHON])
                times[kind] = times.get(kind, 0) + taken
                times[spending.PYTHON] -= taken

    def _judge(self, record: Record) -> None:
        for rule in self._insights:
            with _judging:
                found = rule(record)
                if found:
                    record.insights += [found] if isinstance(found, Insight) else found
        if len(record.insights) > _MOST_INSIGHTS:
            record.insights = sorted(record.insights, key=lambda i: -i.cost_ns)[:_MOST_INSIGHTS]

    def _stack(self, key: StackKey) -> Stack:
        # By the identity of its code objects: a code object's own hash reads all of its text. The entry holds
        # the key, so no identity is used twice.
        ids = (*map(id, key[::2]), *key[1::2])
        known = self._stacks.get(ids)
        if known is None:
            if len(self._stacks) >= _MOST_CACHED:
                self._stacks.clear()
            known = self._stacks[ids] = (key, resolve(key, self._origin))
        return known[1]

    def _name(self, kind: str, name: Any) -> str:
        clean = _clean(name, _LONGEST_NAME)
        names = self._names
        if (kind, clean) not in names:
            if len(names) >= _MOST_NAMES:
                return OTHER
            names.add((kind, clean))
        return clean

    def _path(self, path: str | None) -> str | None:
        if path is None:
            return None
        known = self._paths.get(path)
        if known is None:
            if len(self._paths) >= _MOST_CACHED:
                self._paths.clear()
            known = scrub_kept("path", path)
            if len(path) < _LONGEST_NAME:
                self._paths[path] = known
        return known


def _trace(trace: Any) -> dict[str, Any]:
    return {"trace_id": trace.id, "called_by": trace.parent} if trace.parent else {"trace_id": trace.id}


def _intervals(spans: list[Span], start: int, duration: int) -> list[spending.Interval]:
    at: dict[Span, int] = {}
    intervals = []
    for index, span in enumerate(spans):
        at[span] = index
        begin = min(max(0, span.start_ns - start), duration)
        # One that was never closed, or outlived its transaction, ends with it.
        end = min(span.until_ns - start, duration) if span.end_ns else duration
        parent = span.parent
        while parent is not None and parent not in at:
            parent = parent.parent
        intervals.append(
            spending.Interval(begin, max(begin, end), None if parent is None else at[parent], span.kind)
        )
    return intervals


def _clean(text: Any, longest: int) -> str:
    """A text of bounded length, without NUL, in valid Unicode; whatever the application gave as a name."""
    if not isinstance(text, str):
        text = str(text)
    if len(text) > longest:
        text = text[:longest]
    if text.isascii():
        return text.replace("\x00", "") if "\x00" in text else str(text)
    return str(text.encode("utf-8", "replace").decode("utf-8").replace("\x00", ""))


def _text(text: Any, longest: int) -> str | None:
    return None if text is None else _clean(text, longest)


def _status(status: Any) -> int | None:
    return status if isinstance(status, int) and 0 <= status < 1000 else None
