"""What the fixture `apm` gives a test: the transactions it made, and what may be asserted of them."""

from __future__ import annotations

import dis
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from math import ceil
from types import FrameType, TracebackType

from apm_agent.model.record import Record
from apm_agent.model.transaction import TIMED_KINDS
from apm_agent.testing import told
from apm_agent.testing.sizes import bytes_of
from apm_agent.testing.watch import Watch

#: What is wrong with a transaction, in words.
Judge = Callable[[Record], list[str]]

#: Below so many the 95th percentile is the slowest of all.
ENOUGH = 20


class Apm:
    """The transactions of one test, recorded in memory while it runs."""

    def __init__(self, watch: Watch, name: str) -> None:
        self._watch = watch
        self._name = name

    @property
    def transactions(self) -> list[Record]:
        """All of them in the order they began: `name`, `status`, `duration_ns`, `queries`, `spans` and more."""
        return self._watch.records()

    @property
    def last(self) -> Record:
        """The one that began last; `AssertionError` where there is none."""
        found = self.transactions
        if not found:
            raise AssertionError(_nothing())
        return found[-1]

    def assert_max_queries(self, most: int, endpoint: str | None = None) -> Piece:
        """No transaction ran more than `most` statements.

        As a call it judges all of the test so far; as ``with apm.assert_max_queries(5):`` only what begins in the
        block, and what the block runs itself, outside of any request, counts as one transaction.
        `endpoint` leaves out all others. `AssertionError` names endpoint, statements and lines.
        """
        __tracebackhide__ = True
        if isinstance(most, bool) or not isinstance(most, int) or most < 0:
            raise ValueError(f"assert_max_queries({most!r}): the most statements is a whole number from 0")
        return Piece(self, lambda records: _max_queries(records, most), endpoint)

    def assert_no_repeated_queries(self, allowed: int = 1, endpoint: str | None = None) -> Piece:
        """No transaction ran one statement, literals left out, from one own line more than `allowed` times: no N+1.

        As a call or as a with-block, like `assert_max_queries`.
        """
        __tracebackhide__ = True
        if isinstance(allowed, bool) or not isinstance(allowed, int) or allowed < 1:
            raise ValueError(f"assert_no_repeated_queries({allowed!r}): how often is a whole number from 1")
        return Piece(self, lambda records: _no_repeats(records, allowed), endpoint)

    def assert_p95(
        self, most_ms: float, calls: int = ENOUGH, endpoint: str | None = None, warm_up: int = 0
    ) -> None:
        """Of each endpoint's calls in this test, 95 % took at most `most_ms`: nearest rank, no interpolation.

        Judged are endpoints with at least `calls` calls after the first `warm_up`; where none has so many this fails
        and says so, for it could not be judged. It is the value of rank ⌈0.95 n⌉
        of n: with fewer than 20 calls the slowest. It tells of these calls on this machine, and of no others.
        """
        __tracebackhide__ = True
        if not most_ms > 0:
            raise ValueError(f"assert_p95({most_ms!r}): the most milliseconds is a number above 0")
        if calls < 1 or warm_up < 0:
            raise ValueError(
                f"assert_p95(calls={calls!r}, warm_up={warm_up!r}): calls is from 1, warm_up from 0"
            )
        groups: dict[str, list[int]] = defaultdict(list)
        for record in self._some(endpoint):
            if record.kind in TIMED_KINDS:
                groups[record.name].append(record.duration_ns)
        judged = {name: ns[warm_up:] for name, ns in groups.items() if len(ns) - warm_up >= calls}
        if not judged:
            seen = ", ".join(f"{name} {len(ns)}" for name, ns in groups.items()) or "none at all"
            raise AssertionError(
                f"the p95 could not be judged: it takes {told.plural(calls, 'call')} of one endpoint"
                f"{f' after {warm_up} to warm up' if warm_up else ''}, and there were: {seen}. "
                "Make the calls in a loop, or ask for fewer with calls=…"
            )
        slow = {name: rank for name, ns in judged.items() if (rank := _p95(ns)) > most_ms * 1e6}
        if slow:
            raise AssertionError("\n".join(_too_slow(name, judged[name], most_ms) for name in slow))

    def assert_rss(self, growth: int | str, warm_up: int = 0) -> None:
        """Resident memory of the process grew by at most `growth` (bytes, or ``"5MB"``) over the test's transactions.

        From before the first one, `warm_up` left out, to after the last one that ended. Whatever else the test did
        meanwhile is in it. `AssertionError` also where it could not be measured.
        """
        __tracebackhide__ = True
        most = bytes_of(growth)
        found = [each for each in self._some(None)[warm_up:] if each.rss_after is not None]
        if not found or found[0].rss_before is None:
            raise AssertionError(
                "resident memory could not be judged: "
                + ("no transaction tells it; this system or the setting `memory` keeps it from being read"
                   if self.transactions[warm_up:] else _nothing())
            )  # fmt: skip
        first, last = found[0], max(found, key=lambda each: each.started_at + each.duration_ns)
        before, after = first.rss_before, last.rss_after
        if before is not None and after is not None and after - before > most:
            kept: dict[str, int] = defaultdict(int)
            for each in found:
                kept[each.name] += each.rss_kept or 0
            name = max(kept, key=lambda name: kept[name])
            raise AssertionError(
                f"resident memory grew by {told.size(after - before)} over {told.plural(len(found), 'transaction')}, "
                f"at most {told.size(most)} allowed: from {told.size(before)} before the first ({first.name}) to "
                f"{told.size(after)} after the last ({last.name}). {name} kept {told.size(kept[name])} of it."
            )

    def _some(self, endpoint: str | None, since: int = 0) -> list[Record]:
        __tracebackhide__ = True
        found = self._watch.records(since)
        if endpoint is None:
            return found
        chosen = [record for record in found if record.name == endpoint]
        if not chosen:
            names = ", ".join(dict.fromkeys(record.name for record in found)) or "none"
            raise AssertionError(f"no transaction of endpoint {endpoint!r} was recorded; there were: {names}")
        return chosen


class Piece:
    """A judgement: of all of the test so far where it is made, or of the with-block it opens."""

    def __init__(self, apm: Apm, judge: Judge, endpoint: str | None) -> None:
        self._apm, self._judge, self._endpoint = apm, judge, endpoint
        self._since = 0
        self._block: AbstractContextManager[None] = nullcontext()
        __tracebackhide__ = True
        # What fails is raised here and now, unless the very next thing is to open a block.
        fails = endpoint is not None or not apm.transactions or self._found()
        if fails and not _opens_block(sys._getframe(2)):
            if not apm.transactions:
                raise AssertionError(_nothing())
            self._raise(self._found())

    def __enter__(self) -> None:
        self._since = self._apm._watch.mark
        self._block = self._apm._watch.piece(self._apm._name)
        self._block.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self._block.__exit__(kind, error, traceback)
        if kind is None:
            self._raise(self._found())

    def _found(self) -> list[str]:
        return [
            text for record in self._apm._some(self._endpoint, self._since) for text in self._judge(record)
        ]

    def _raise(self, found: list[str]) -> None:
        __tracebackhide__ = True
        if found:
            raise AssertionError("\n".join(found))


def _opens_block(frame: FrameType) -> bool:
    """Whether what a call returns is entered at once: ``with apm.assert_max_queries(5):``."""
    left = (step.opname for step in dis.get_instructions(frame.f_code) if step.offset > frame.f_lasti)
    following = list(islice((name for name in left if name not in {"CACHE", "EXTENDED_ARG", "NOP"}), 2))
    return following[:1] in (["SETUP_WITH"], ["BEFORE_WITH"]) or following == ["COPY", "LOAD_SPECIAL"]


def _max_queries(record: Record, most: int) -> list[str]:
    if record.queries <= most:
        return []
    head = f"{record.name} ran {told.plural(record.queries, 'statement')}, at most {most} allowed:"
    lost = sum(count for kind, _, count, _ in record.lost if kind == "db")
    more = (
        [f"  and {told.plural(lost, 'more database call')}, of which the lines were not kept"] if lost else []
    )
    return ["\n".join([head, *told.statements(told.ran(record)), *more])]


def _no_repeats(record: Record, allowed: int) -> list[str]:
    repeated = [each for each in told.ran(record) if each.times > allowed]
    if not repeated:
        return []
    often = "once" if allowed == 1 else f"{allowed} times"
    head = f"{record.name} repeats statements (from one line at most {often}):"
    return ["\n".join([head, *told.statements(repeated)])]


def _p95(ns: list[int]) -> int:
    return sorted(ns)[ceil(0.95 * len(ns)) - 1]


def _too_slow(name: str, ns: list[int], most_ms: float) -> str:
    over = sum(each > most_ms * 1e6 for each in ns)
    return (
        f"{name}: the p95 of {told.plural(len(ns), 'call')} is {told.ms(_p95(ns))}, at most {most_ms:g} ms allowed; "
        f"{over} took longer, the median is {told.ms(sorted(ns)[(len(ns) - 1) // 2])}, "
        f"the slowest {told.ms(max(ns))}"
    )


def _nothing() -> str:
    return (
        "no transaction was recorded in this test. Requests of the test clients of Flask, Starlette, FastAPI and "
        "Django are seen; other applications are wrapped with apm_agent.wsgi or apm_agent.asgi, and functions with "
        "apm_agent.background_transaction."
    )
