"""Who held an event loop while others were ready to run, and for how long they waited for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apm_agent.model.profile import StackKey

if TYPE_CHECKING:
    from apm_agent.model.transaction import Transaction

_MOST_VICTIMS = 10_000
_MOST_ROWS = 200


class Culprit:
    """A transaction that held the loop, as those who waited for it know it; nameless where it was none's work.

    Its name is known when it ends and its record's id when it is written; either may come after those who waited are
    written.
    """

    __slots__ = ("_name", "_transaction", "end_ns", "maybe_ns", "record_id", "victims", "waited_ns")

    def __init__(self, transaction: Transaction | None) -> None:
        self._transaction = transaction
        self._name: str | None = None
        #: when it ended; 0 until then
        self.end_ns = 0
        self.record_id: int | None = None
        #: ids of the transactions that waited
        self.victims: set[int] = set()
        #: what they waited together, and what they perhaps did
        self.waited_ns = self.maybe_ns = 0

    @property
    def name(self) -> str | None:
        """The name of its endpoint."""
        transaction = self._transaction
        return self._name if transaction is None else transaction.name

    def of(self, transaction: Transaction | None) -> bool:
        """Whether this is that transaction, still open, or the work of none as well."""
        return self._transaction is transaction and not self.end_ns

    def settle(self, end_ns: int) -> None:
        """It ended: keep its name, let it go."""
        self._name, self._transaction, self.end_ns = self.name, None, end_ns


class Blocked:
    """Time a transaction was ready to run while `culprit` held the loop at `stack`.

    `ns` is certain; of `maybe_ns` it is only known that what it awaited had come when the loop was free again.
    """

    __slots__ = ("culprit", "maybe_ns", "ns", "stack")

    def __init__(self, culprit: Culprit, stack: StackKey) -> None:
        self.culprit = culprit
        self.stack = stack
        self.ns = self.maybe_ns = 0


class Held:
    """Who has a loop's thread at a look or several in a row, where, and when it did not have it yet."""

    __slots__ = ("culprit", "since_ns", "stack")

    def __init__(self, culprit: Culprit, stack: StackKey, since_ns: int = 0) -> None:
        self.culprit = culprit
        self.stack = stack
        self.since_ns = since_ns


def charge(victim: Transaction, held: Held, ns: int, maybe_ns: int = 0) -> None:
    """Charge a transaction's wait to who had the loop; past two hundred places, to the last of them."""
    rows = victim.blocked
    if rows is None:
        rows = victim.blocked = []
    culprit = held.culprit
    row = rows[-1] if rows else None
    if row is None or (len(rows) < _MOST_ROWS and not (row.culprit is culprit and row.stack is held.stack)):
        row = Blocked(culprit, held.stack)
        rows.append(row)
    row.ns += ns
    row.maybe_ns += maybe_ns
    culprit.waited_ns += ns
    culprit.maybe_ns += maybe_ns
    if len(culprit.victims) < _MOST_VICTIMS:
        culprit.victims.add(victim.id)
