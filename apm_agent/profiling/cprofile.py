"""Measures a share of the transactions call by call, one at a time a process, into a callgraph.

Up to 3.11 cProfile does it. From 3.12 cProfile watches the whole interpreter: it books what other threads do, ours
among them, on whoever asked. There `calls.Counter` does the same work on this thread alone.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any

from apm_agent.model.arm import CPROFILE, Arm
from apm_agent.model.callgraph import Call, Callgraph, Node
from apm_agent.model.chance import random
from apm_agent.model.transaction import CAPTURED, Transaction
from apm_agent.profiling.attribution import alone, get_ident
from apm_agent.profiling.calls import Counter
from apm_agent.profiling.native import original

_PER_THREAD = sys.version_info < (3, 12)
_NOTE = "cprofile_note"
_HERE = os.path.dirname(__file__) + os.sep


class Deterministic:
    """Measures transactions by share, and those whose `notes` ask for it with ``"cprofile": True``.

    A transaction that was asked for and cannot be measured says why in ``notes["cprofile_note"]``.
    """

    __slots__ = ("_busy", "_orphans", "_share", "_watched", "counts")

    def __init__(self, share: float = 0.0) -> None:
        self._share = share
        #: how many were measured, and why others were not
        self.counts: dict[str, int] = {}
        self.after_fork()

    @staticmethod
    def prepare() -> None:
        """Load what measuring takes: when it is asked for, not inside the first request that is measured."""
        if _PER_THREAD:
            import cProfile  # noqa: F401

    def after_fork(self) -> None:
        """In the child nothing is measured, whatever the parent's threads were doing."""
        self._busy: Any = original("_thread", "allocate_lock")()
        self._watched: tuple[Transaction, int, Any] | None = None
        self._orphans: dict[int, Any] = {}

    def start(self, transaction: Transaction) -> None:
        """Measure this one, if it is asked for or chosen, and possible."""
        self.relieve()
        notes = transaction.notes
        asked = notes is not None and notes.get("cprofile") is True
        if not asked and not (self._share and random() < self._share):
            return
        why = self.begin(transaction)
        self.counts[why or "measured"] = self.counts.get(why or "measured", 0) + 1
        if why:
            if transaction.notes is None:
                transaction.notes = {}
            transaction.notes[_NOTE] = why

    def stop(self, transaction: Transaction) -> None:
        """Take the result, if this transaction was measured."""
        watched = self._watched
        if watched is None or watched[0] is not transaction:
            return
        _, ident, profile = watched
        self._watched = None
        try:
            if ident == get_ident():
                profile.disable()
                # To name some hundred functions takes longer than most requests: the writer's thread does it.
                transaction.callgraph = partial(_callgraph, profile)
                if transaction.notes is not None and transaction.notes.get("cprofile") is True:
                    transaction.notes[CAPTURED] = (CPROFILE, "")
            else:
                # Only its own thread can take a profiler off; it does so when it next comes by.
                self._orphans[ident] = profile
                transaction.notes = {**(transaction.notes or {}), _NOTE: "ended on another thread"}
        finally:
            self._busy.release()

    def begin(self, transaction: Transaction, shared: bool = False) -> str:
        """Measure from here on; else why it cannot be. `shared`: the caller knows that nobody shares its thread."""
        if not shared and not alone():
            return "an event loop or greenlets share its thread, and a profiler would measure them all"
        if sys.getprofile() is not None:
            return "another profiler is active"
        if not self._busy.acquire(False):
            return "another transaction is being measured"
        try:
            profile: Any = _profile()
            self._watched = (transaction, get_ident(), profile)
            profile.enable()
        except ValueError:
            self._watched = None
            self._busy.release()
            return "another profiler is active"
        return ""

    def relieve(self) -> None:
        """Take off this thread what a transaction left there that ended on another one."""
        profile = self._orphans.pop(get_ident(), None) if self._orphans else None
        if profile is not None:
            profile.disable()

    @property
    def idle(self) -> bool:
        """Nothing is measured, and no thread waits to be relieved."""
        return self._watched is None and not self._orphans


class OnDemand:
    """`Deterministic` as one of the captures that can be armed."""

    def __init__(self, deterministic: Deterministic) -> None:
        self._deterministic = deterministic

    def prepare(self, arm: Arm) -> str:
        """Load cProfile; it can always be tried."""
        self._deterministic.prepare()
        return ""

    def begin(self, transaction: Transaction, arm: Arm) -> str:
        """Measure from here on; else why not."""
        return self._deterministic.begin(transaction, shared=True)

    def end(self, transaction: Transaction, keep: bool) -> str:
        """Lay the callgraph on the transaction; else why there is none."""
        self._deterministic.stop(transaction)
        if not keep:
            transaction.callgraph = None
        return "" if transaction.callgraph is not None else "it ended on another thread"

    def relieve(self) -> None:
        """See `Deterministic.relieve`."""
        self._deterministic.relieve()

    def over(self) -> None:
        """Nothing was changed."""

    @property
    def idle(self) -> bool:
        """Whether no thread carries a profiler of ours."""
        return self._deterministic.idle


def _profile() -> Any:
    if _PER_THREAD:
        import cProfile

        return cProfile.Profile()
    return Counter()


def _callgraph(profile: Any) -> Callgraph:
    profile.snapshot_stats()
    graph = Callgraph()
    for function, (primitive, calls, own, total, callers) in profile.stats.items():
        if function[0].startswith(_HERE):  # the way into `stop`
            continue
        node = Node(*function)
        graph.functions[node] = _call(primitive, calls, own, total)
        graph.callers[node] = {
            Node(*caller): _from_caller(part)
            for caller, part in callers.items()
            if not caller[0].startswith(_HERE)
        }
    return graph


def _call(primitive: int, calls: int, own: float, total: float) -> Call:
    return Call(primitive, calls, round(own * 1e9), round(total * 1e9))


def _from_caller(part: Any) -> Call:
    # cProfile gives (calls, primitive calls, own, total) here, the other way round than above.
    calls, primitive, own, total = part
    return _call(primitive, calls, own, total)
