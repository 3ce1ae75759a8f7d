"""The id a transaction has in the store, for whoever must know it before the transaction is written."""

from __future__ import annotations

from apm_agent.clock import system
from apm_agent.model.chance import unique
from apm_agent.model.transaction import Transaction

#: Random bits at the end of an id; those before them are its start, so that ids sort by it.
RANDOM_BITS = 21
_LATEST_START = 2**62
_KEY = "identity"


def identity_of(transaction: Transaction, started: int | None = None) -> int:
    """The id of its row, the same each time it is asked for: 63 bits, positive.

    `started` is its start in Unix ns where the caller knows it.
    """
    known = None if transaction.notes is None else transaction.notes.get(_KEY)
    if known is not None:
        return int(known)
    if started is None:
        started = system.wall_at(transaction.start_ns)
    made = max(0, min(started, _LATEST_START)) >> 20 << RANDOM_BITS | unique(RANDOM_BITS)
    if transaction.notes is None:
        transaction.notes = {}
    # Several threads may work for one transaction, and all must say the same.
    return int(transaction.notes.setdefault(_KEY, made))
