"""What is in flight in this process at one moment: every open transaction, what it does and its stacks."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from apm_agent.errors import contained
from apm_agent.model.live import (
    MOST_FLIGHTS,
    MOST_FRAMES,
    MOST_PLACES,
    RUNNING,
    TELLING,
    WAITING,
    Flight,
    OpenSpan,
    Place,
)
from apm_agent.model.origin import Origin
from apm_agent.model.profile import StackKey
from apm_agent.model.scrub import scrub_text
from apm_agent.model.span import Span
from apm_agent.model.statement import normalise, summary
from apm_agent.model.transaction import DEFAULT, Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.awaited import key_of_task, tasks_of
from apm_agent.profiling.collector import held
from apm_agent.profiling.doubt import cpu_of
from apm_agent.profiling.frames import resolve
from apm_agent.profiling.keys import key_of

#: A thread that took less of a processor than this since it was last asked is waiting in a call.
_AT_WORK = 0.01
_MOST_SPANS = 50
_LONGEST = 200

_reading = contained("reading what a task awaits")


class _At(NamedTuple):
    """Where a transaction is seen; what runs comes before what waits."""

    waits: bool
    thread: str
    task: str
    key: StackKey = ()
    #: a suspended task, whose stack is only walked if it is told
    suspended: Any = None


class Flights:
    """Looks when asked; remembers each thread's processor time from one look to the next."""

    __slots__ = ("_cpu", "_monotonic", "_origin")

    def __init__(self, origin: Origin, monotonic: Callable[[], int]) -> None:
        self._origin = origin
        self._monotonic = monotonic
        self._cpu: dict[int, tuple[int, int]] = {}

    def note(self) -> None:
        """Note the processor time of the threads at work, for the look that follows."""
        self._cpu = {ident: now for ident in attribution.idents() if (now := self._spent(ident)) is not None}

    def look(self) -> tuple[list[Flight], int]:
        """What is in flight, the oldest first, and how many more there are."""
        before = self._cpu
        self.note()
        with held():
            seen = self._seen(before)
        now = self._monotonic()
        oldest = sorted(seen, key=lambda transaction: transaction.start_ns)
        return (
            [self._flight(each, seen[each], now) for each in oldest[:MOST_FLIGHTS] if not each.ended],
            max(0, len(oldest) - MOST_FLIGHTS),
        )

    def _seen(self, before: dict[int, tuple[int, int]]) -> dict[Transaction, list[_At]]:
        frames = sys._current_frames()
        wanted = attribution.idents()
        stacks = {ident: key_of(frames[ident]) for ident in wanted if ident in frames}
        frames.clear()  # their locals are not ours to keep
        seen: dict[Transaction, list[_At]] = defaultdict(list)
        for transaction, _, ident in attribution.at_work(stacks):
            task = _running_task(ident)
            seen[transaction].append(_At(self._waits(ident, before), _thread(ident), task, stacks[ident]))
        for ident, here in list(attribution.loops.items()):
            for transaction in list(here.open):
                seen[transaction]  # also when no task of it can be found
            with _reading:
                running = _task_now(here.loop)
                for transaction, task in tasks_of(here.loop):
                    if task is not running:
                        name = str(task.get_name())
                        seen[transaction].append(_At(True, _thread(ident), name, suspended=task))
        for greenlet, (transaction, _, ident) in list(attribution.greenlets.items()):
            frame = greenlet.gr_frame
            if frame is not None:
                name = f"greenlet-{id(greenlet):x}"
                seen[transaction].append(_At(True, _thread(ident), name, key_of(frame)))
        return seen

    def _flight(self, transaction: Transaction, seen: list[_At], now: int) -> Flight:
        places = [self._place(at) for at in sorted(seen, key=lambda at: at.waits)[:MOST_PLACES]]
        span = _open_span(transaction, now)
        state = places[0].state if places else WAITING
        if span is not None and span.kind in TELLING:
            state = span.kind
        return Flight(
            format(transaction.id, "016x"),
            transaction.kind,
            _clean(transaction.name) if transaction.name_priority > DEFAULT else "",
            _clean(transaction.method or ""),
            scrub_text(transaction.path or "")[:_LONGEST],
            max(0, now - transaction.start_ns),
            state,
            span,
            tuple(places),
        )

    def _place(self, at: _At) -> Place:
        with held():
            key = at.key or key_of_task(at.suspended)
        stack = resolve(key, self._origin)
        state = WAITING if at.waits else RUNNING
        cut = max(0, len(stack) - MOST_FRAMES)
        return Place(_clean(at.thread), _clean(at.task), state, stack[cut:], cut)

    def _waits(self, ident: int, before: dict[int, tuple[int, int]]) -> bool:
        """Whether the thread has used next to no processor since it was last asked."""
        now, then = self._cpu.get(ident), before.get(ident)
        if now is None or then is None or now[1] <= then[1]:
            return False
        return now[0] - then[0] < _AT_WORK * (now[1] - then[1])

    def _spent(self, ident: int) -> tuple[int, int] | None:
        cpu = cpu_of(attribution.natives.get(ident, 0))
        return None if cpu is None else (cpu, self._monotonic())


def _open_span(transaction: Transaction, now: int) -> OpenSpan | None:
    """The one opened last that has not ended, among the last few: the others are its parents."""
    for span in reversed(transaction.spans[-_MOST_SPANS:]):
        if not span.end_ns:
            return OpenSpan(span.kind, _name_of(span), max(0, now - span.start_ns))
    return None


def _name_of(span: Span) -> str:
    statement = span.statement
    return _clean(span.name if statement is None else summary(normalise(statement)))


def _running_task(ident: int) -> str:
    loop = attribution.loops.get(ident)
    task = _task_now(loop.loop) if loop is not None else None
    return str(task.get_name()) if task is not None else ""


def _task_now(loop: Any) -> Any:
    asyncio = sys.modules.get("asyncio")
    return asyncio.current_task(loop) if asyncio is not None else None


def _thread(ident: int) -> str:
    """The thread's name; nothing is imported to find out."""
    threads = getattr(sys.modules.get("threading"), "_active", {})
    return str(getattr(threads.get(ident), "name", "") or f"thread-{ident}")


def _clean(text: object) -> str:
    cut = str(text)[:_LONGEST].replace("\x00", "")
    return cut.encode("utf-8", "replace").decode("utf-8")
