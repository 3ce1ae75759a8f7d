"""Takes a finished transaction from the request's thread and lets it go home; never waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from apm_agent.model.forked import claim
from apm_agent.model.transaction import Transaction

#: So many waiting transactions wake the writer before its time.
BATCH = 500
#: Spans and samples that may wait; their transactions may be long ones.
_MOST_ITEMS = 500_000


def _nobody() -> None:
    return None


class Recorder:
    """The tracer's sink: a bounded queue. When full, it drops its oldest.

    `ignore` names endpoints, and path prefixes (they begin with a slash), of which nothing is kept. `wake`
    is called when the writer sleeps, and when a full batch waits.

    The counters need no lock: CPython with the GIL changes threads only at calls and backward jumps, and
    there is none within ``self.recorded += 1``.
    """

    def __init__(self, max_queue: int = 10_000, ignore: tuple[str, ...] = ()) -> None:
        self.wake: Callable[[], None] = _nobody
        self._max = max(1, max_queue)
        self._names = frozenset(ignore)
        self._prefixes = tuple(rule for rule in ignore if rule.startswith("/"))
        self._ours = claim()
        self.after_fork()

    def after_fork(self) -> None:
        """Start empty: what the parent queued is the parent's to write."""
        self._ours[0] = 1
        self.queue: deque[Transaction] = deque()
        #: handed in, taken by the writer, and left out by rule
        self.recorded = self.taken = self.ignored = 0
        self._items = 0
        #: nobody will look at the queue unless woken
        self.asleep = True

    def __call__(self, transaction: Transaction) -> None:
        if not self._ours[0]:  # a server that forks in C runs no fork hooks
            self.after_fork()
        if self._names and self._is_ignored(transaction):
            self.ignored += 1
            transaction.release()
            return
        queue = self.queue
        waiting = len(queue)
        if waiting >= self._max or self._items > _MOST_ITEMS:
            self._drop()
        self.recorded += 1
        if transaction.spans or transaction.samples or transaction.waits:
            self._items += _items_of(transaction)
        queue.append(transaction)
        if self.asleep or waiting + 1 == BATCH:
            self.wake()

    def take(self) -> Transaction | None:
        """The oldest transaction, for the writer; None when there is none."""
        try:
            transaction = self.queue.popleft()
        except IndexError:
            self._items = 0
            return None
        self.taken += 1
        self._items -= _items_of(transaction)
        return transaction

    @property
    def dropped(self) -> int:
        """What came in and was neither taken nor is waiting; exact without a lock on the way in."""
        return max(0, self.recorded - self.taken - len(self.queue))

    def stats(self) -> dict[str, int]:
        """The counters as the Health page shows them."""
        return {
            "queued": len(self.queue),
            "recorded": self.recorded,
            "dropped": self.dropped,
            "ignored": self.ignored,
        }

    def _is_ignored(self, transaction: Transaction) -> bool:
        if transaction.name in self._names:
            return True
        path = transaction.path
        return path is not None and path.startswith(self._prefixes)

    def _drop(self) -> None:
        try:
            oldest = self.queue.popleft()
        except IndexError:  # the writer was faster
            return
        self._items -= _items_of(oldest)
        oldest.release()


def _items_of(transaction: Transaction) -> int:
    return len(transaction.spans) + len(transaction.samples) + len(transaction.waits)
