"""One look at all stacks at work: takes them, keys them, books them on their transactions."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from apm_agent.model.profile import RUNNING, UNCERTAIN, WAITING, Sample, StackKey
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.clocked import Clocked
from apm_agent.profiling.collector import held
from apm_agent.profiling.doubt import LATE_NS, Owed, Sites, cpu_of, is_ready
from apm_agent.profiling.elsewhere import Elsewhere
from apm_agent.profiling.keys import key_of
from apm_agent.profiling.waiting import Waiting

_MOST_SAMPLES = 2000
_MOST_STACKS = 5000
#: Where threads compete for the GIL: as long as one may keep it that is asked for it.
_CONTESTED_NS = 5_000_000
#: Where tasks take turns: a look later than this finds another of them, or another place, as often as not.
_ANOTHER_NS = 1_000_000
#: Each asking gives the GIL up, and among many threads to get it back can take 100 ms.
_MOST_ASKED = 2


class Look:
    """Looks when told to, and counts.

    A sample is worth the time since the look before. The first look at a transaction is worth a whole interval even
    if it began less than that ago: looks fall anywhere, so what it did before the first of them is on average as
    long; booking only the time since its start would halve whatever transactions do first. A look that comes late
    never counts more than the transaction was there for.
    """

    __slots__ = (
        "_clocked", "_cpu", "_elsewhere", "_last_ns", "_monotonic", "_owed", "_processors", "_sites", "_stacks",
        "_work", "booked_ns", "count", "heard", "taken_ns", "uncertain_ns", "waiting",
    )  # fmt: skip

    def __init__(self, monotonic: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self.count = 0
        self.booked_ns = 0
        self.uncertain_ns = 0
        #: what ran and for how long is also put here, while somebody asks what runs
        self.heard: list[tuple[StackKey, int]] | None = None
        self._last_ns = 0
        # Those this process may use; none of the limits of a container.
        self._processors = (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
        self._sites = Sites()
        self.taken_ns = 0
        self._work: list[tuple[Transaction, int, int]] = []
        self._stacks: dict[int, StackKey] = {}
        #: thread → its processor time at the last look
        self._cpu: dict[int, int] = {}
        self._clocked = Clocked()
        self._owed: dict[int, Owed] = {}
        self._elsewhere = Elsewhere()
        #: what does not run is booked there
        self.waiting = Waiting()

    def forget(self, now: int) -> None:
        """Time until `now` was nobody's."""
        self._last_ns = now

    def look(self, waited: bool = False, late_ns: int = 0, planned_ns: int = 0) -> None:
        """Take and book at once, for who waits for no moment."""
        self.take()
        self.book(waited, late_ns, planned_ns)

    def take(self) -> None:
        """Take all stacks at work; nothing else, for the GIL may be asked back within 100 µs."""
        with held():
            before = dict(attribution.threads)
            frames = sys._current_frames()
            # Whoever took a thread over while the frames were taken has none of its own in them.
            self._work = [
                work
                for work in attribution.at_work(frames)
                if attribution.is_shared(work[2]) or ((then := before.get(work[2])) and then[0] is work[0])
            ]
            self._stacks = {ident: key_of(frames[ident]) for ident in attribution.idents() if ident in frames}
            self.waiting.take(self._stacks)
            self.taken_ns = self._monotonic()
            # A frame kept past its function's end would have its locals freed here, on our thread.
            frames.clear()

    def book(self, waited: bool, late_ns: int, planned_ns: int, torn: bool = False) -> None:
        """Book what was taken, `planned_ns` after the look before and `late_ns` after its moment.

        `waited`: the GIL was not free. `torn`: the GIL was lost while taking, so which task ran and what ran on its
        thread may be of different moments.
        """
        now, stacks, sites = self.taken_ns, self._stacks, self._sites
        gap, self._last_ns = now - self._last_ns, now
        self.count += 1
        work = [
            (transaction, ident, min(gap, max(planned_ns, now - since)))
            for transaction, since, ident in self._work
            if ident in stacks and not (torn and attribution.is_shared(ident))
        ]
        spent = self._spent(work)
        began = self._monotonic()
        unsure = [] if waited or torn else [ident for ident, key in stacks.items() if sites.learn(key)]
        if waited and len(work) == 1:
            site = sites.of(stacks[work[0][1]])
            if site is not None:
                site.waited += 1
        # Somebody had the GIL when we woke, and nobody we see could have it: one of them has just given it up.
        given_up = waited and not any(sites.holds(stacks[ident]) for _, ident, _ in work)
        together = sum(spent.values())
        doubtful = waited or late_ns > LATE_NS
        # More compute than there are processors: who had none looks as if it waited, and we came late ourselves.
        crowded = len(work) > self._processors and (
            4 * together >= 3 * self._processors * gap
            or sum(sites.computes_freely(stacks[ident]) for _, ident, _ in work) > self._processors
        )
        ran = UNCERTAIN if crowded else RUNNING
        # One of those that wait had the GIL until now; nothing tells which.
        wait = UNCERTAIN if waited and late_ns > _CONTESTED_NS and len(work) > 1 else ran
        another = late_ns > _ANOTHER_NS
        clocked = self._clocked
        for transaction, ident, weight in work:
            key, cpu = stacks[ident], spent.get(ident, 0)
            runs = UNCERTAIN if another and attribution.is_shared(ident) else ran
            owed = self._owed.get(ident)
            if owed is None:
                owed = self._owed[ident] = Owed()
            owed.used(cpu, weight)
            if sites.waits(key):
                self._elsewhere.waits(transaction, ident, key)
                due = owed.due(weight, doubtful)
                if due:
                    owed.seen(due)
                    there = self._elsewhere.where(transaction, ident, key)
                    self._book(transaction, there, UNCERTAIN, now, due, cpu=clocked.computes(ident, due))
                self._book(transaction, key, wait, now, weight - due, cpu=clocked.waits(ident))
            elif given_up and together and owed.takes_turn(cpu / together):
                owed.seen(weight)
                there = self._elsewhere.where(transaction, ident, key, holding=True)
                self._book(transaction, there, UNCERTAIN, now, weight, cpu=clocked.computes(ident, weight))
            else:
                if sites.computes(key, waited):
                    owed.seen(weight)
                    self._elsewhere.computes(transaction, ident, key, sites.holds(key))
                self._book(transaction, key, runs, now, weight, cpu=clocked.computes(ident, weight))
        with held():
            self.waiting.book(now, gap, planned_ns, torn)
        self._ask(unsure[:_MOST_ASKED], began)  # last, for it gives the GIL up, and tasks go on
        self._work = []
        self._stacks = {}

    def _spent(self, work: list[tuple[Transaction, int, int]]) -> dict[int, int]:
        """Processor time each thread at work has used since the last look, or since its transaction began."""
        spent = {}
        natives, before = attribution.natives, self._cpu
        now = self._cpu = {}
        self._clocked.begin(self._stacks)
        for transaction, ident, weight in work:
            cpu = cpu_of(natives.get(ident, 0))
            if cpu is None:
                cpu = cpu_of(attribution.renew(ident))
            if cpu is None:  # the next start on this thread asks again
                natives.pop(ident, None)
                continue
            now[ident] = cpu
            self._clocked.work(transaction, ident, cpu, self.taken_ns, weight)
            last = before.get(ident)
            if last is None:
                # Negative while the transaction is open on the thread it began on: what the clock said then.
                begun = transaction.cpu_ns
                last = -begun if begun is not None and begun < 0 and transaction.thread_id == ident else cpu
            spent[ident] = max(cpu - last, 0)
        for ident in self._stacks.keys() - now.keys():
            self._clocked.idle(ident, cpu_of(natives.get(ident, 0)))
        for ident in self._owed.keys() - now.keys():
            del self._owed[ident]
        return spent

    def _ask(self, unsure: list[int], began: int) -> None:
        """Find out whether these threads have been computing since `began`, without the GIL."""
        for ident in unsure:
            native, before = attribution.natives.get(ident, 0), self._cpu.get(ident)
            cpu = cpu_of(native)
            if cpu is not None and before is not None:
                running = 2 * (cpu - before) > self._monotonic() - began
                site = self._sites.of(self._stacks[ident])
                if site is not None:
                    site.asked += 1
                    site.running += running
                    site.ready += running or is_ready(native)

    def _book(
        self, transaction: Transaction, key: StackKey, state: int, now: int, weight: int, *, cpu: int | None
    ) -> None:
        if not weight:
            return
        self.booked_ns += weight
        if state == UNCERTAIN:
            self.uncertain_ns += weight
        if self.heard is not None and state != WAITING:
            self.heard.append((key, weight))
        samples = transaction.samples
        if len(samples) < _MOST_SAMPLES:
            if not samples:
                samples = transaction.samples = []
            elif samples[-1].stack == key:
                key = samples[-1].stack
            samples.append(Sample(now, weight, key, state, cpu))
            return
        weights = transaction.weights
        if weights is None:
            weights = transaction.weights = {}
        if (key, state) in weights or len(weights) < _MOST_STACKS:
            weights[key, state] = weights.get((key, state), 0) + weight
            if cpu is not None:
                clocked = transaction.clocked
                if clocked is None:
                    clocked = transaction.clocked = {}
                sums = clocked.setdefault((key, state), [0, 0])
                sums[0] += cpu
                sums[1] += weight
        else:
            transaction.lost_samples += 1
