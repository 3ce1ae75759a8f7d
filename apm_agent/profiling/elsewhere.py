"""Where a sample is booked that found a thread waiting, or just past giving the GIL up, and is held to be computing."""

from __future__ import annotations

from collections import deque

from apm_agent.model.profile import StackKey
from apm_agent.model.transaction import Transaction

_MOST_PLACES = 2000
_MOST_SEEN = 16
_MOST_OPEN = 100

_Seen = dict[int, tuple[int, StackKey]]


class Elsewhere:
    """Remembers, by thread, where it was seen computing.

    The answer for a transaction is the stack it was last seen computing in. One not seen computing yet gets, in turn,
    those of the last transactions that came to wait at the same place, so that their shares are kept too. If there is
    none either, it is the function that made the call, without a line, until the transaction is seen computing.
    """

    __slots__ = ("_before", "_computing", "_holding", "_open")

    def __init__(self) -> None:
        #: thread → transaction's id and the stack it was last seen computing in, and doing so with the GIL
        self._computing: _Seen = {}
        self._holding: _Seen = {}
        #: stack of a call that waits → where those that came to wait there had been seen computing before
        self._before: dict[StackKey, deque[StackKey]] = {}
        #: thread → transaction's id and the indices of its samples that are still without such a stack
        self._open: dict[int, tuple[int, list[int]]] = {}

    def computes(self, transaction: Transaction, ident: int, key: StackKey, holds: bool) -> None:
        """A thread was seen computing, with the GIL or without it."""
        self._computing[ident] = (transaction.id, key)
        if holds:
            self._holding[ident] = (transaction.id, key)
        transaction_id, indices = self._open.pop(ident, (0, []))
        if transaction_id == transaction.id:
            samples = transaction.samples
            for at in indices:
                samples[at] = samples[at]._replace(stack=key)

    def waits(self, transaction: Transaction, ident: int, key: StackKey) -> None:
        """A thread was seen waiting: where it was seen computing before is where others compute who wait here."""
        last = self._computing.get(ident)
        if last is None or last[0] != transaction.id:
            return
        before = self._before.get(key)
        if before is None:
            if len(self._before) >= _MOST_PLACES:
                self._before.clear()
            before = self._before[key] = deque(maxlen=_MOST_SEEN)
        before.append(last[1])

    def where(self, transaction: Transaction, ident: int, key: StackKey, holding: bool = False) -> StackKey:
        """Where the next sample of a transaction that finds `key` is booked instead."""
        last = (self._holding if holding else self._computing).get(ident)
        if last is not None and last[0] == transaction.id:
            return last[1]
        before = self._before.get(key)
        if before is not None:
            before.rotate()
            return before[0]
        waiting = self._open.get(ident)
        if waiting is None or waiting[0] != transaction.id:
            waiting = self._open[ident] = (transaction.id, [])
        if len(waiting[1]) < _MOST_OPEN:
            waiting[1].append(len(transaction.samples))
        return (key[0], -1, *key[2:])
