"""Times garbage collections and charges each to the transaction whose thread had to do it."""

from __future__ import annotations

import gc
from typing import Any

from apm_agent.clock import Clock, system
from apm_agent.model.current import current, transaction_of
from apm_agent.model.transaction import Pause, Transaction

_MOST = 500


class Collections:
    """Garbage collections of the process, by `gc.callbacks`.

    A collection runs on the thread whose allocation set it off, in that thread's context: it is charged to the
    transaction that was current there, whoever made the garbage. Other threads wait meanwhile (they need the GIL),
    but whether they would have run is not known, so they are not charged.
    """

    __slots__ = ("_began", "_hooked", "_monotonic")

    def __init__(self, clock: Clock = system) -> None:
        self._monotonic = clock.monotonic
        self._began = 0
        self._hooked = False

    def hook(self) -> None:
        """Listen to the collector."""
        if not self._hooked:
            self._hooked = True
            gc.callbacks.append(self.collected)

    def unhook(self) -> None:
        """Listen no more."""
        if self._hooked:
            self._hooked = False
            gc.callbacks.remove(self.collected)

    def start(self, transaction: Transaction) -> None:
        """Nothing: the collector calls."""

    def stop(self, transaction: Transaction) -> None:
        """Nothing: the collector calls."""

    def collected(self, phase: str, info: dict[str, Any]) -> None:
        """Take the collector's word; the collector never runs twice at once, so one field is enough."""
        if phase == "start":
            self._began = self._monotonic()
            return
        began, self._began = self._began, 0
        if not began:  # hooked while a collection ran
            return
        transaction = transaction_of(current.get())
        if transaction is None:
            return
        pauses = transaction.gc_pauses
        if pauses is None:
            pauses = transaction.gc_pauses = []
        if len(pauses) < _MOST:
            pauses.append(Pause(began, self._monotonic() - began, info["generation"]))
