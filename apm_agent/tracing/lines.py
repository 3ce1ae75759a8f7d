"""The last lines a transaction logged, bounded, kept until it is known whether it failed."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current, transaction_of
from apm_agent.tracing.identity import identity_of

#: Key of `Transaction.notes`.
KEY = "log"
MOST_LINES = 50
_LONGEST = 1000
_LONGEST_NAME = 100


class Line(NamedTuple):
    """One line: when on the monotonic clock, level and logger by name, and its text; no arguments, no exception."""

    at_ns: int
    level: str
    logger: str
    text: str
    #: which library logged it; one that hands its lines to another is heard twice
    by: str


def logging_transaction() -> Transaction | None:
    """The transaction this code runs in."""
    here = current.get()
    return None if here is None else transaction_of(here)


def identity_text(transaction: Transaction) -> str:
    """The transaction's id as pages and addresses write it."""
    return f"{identity_of(transaction):016x}"


def keep(transaction: Transaction, level: str, logger: str, text: str, by: str) -> None:
    """Keep a line, and let go of the oldest; the text is scrubbed by the writer, if it is written at all."""
    active = tracing.tracer
    if active is None:
        return
    notes = transaction.notes
    if notes is None:
        notes = transaction.notes = {}
    lines = notes.get(KEY)
    if lines is None:
        lines = notes.setdefault(KEY, deque(maxlen=MOST_LINES))
    cut = text[:_LONGEST]
    if lines:
        last = lines[-1]
        if last.text == cut and last.by != by:
            return
    lines.append(Line(active.monotonic(), level[:_LONGEST_NAME], logger[:_LONGEST_NAME], cut, by))
