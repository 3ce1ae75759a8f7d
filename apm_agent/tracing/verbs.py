"""What an application says about its current transaction; outside of one every verb does nothing."""

from __future__ import annotations

from typing import Any

from apm_agent.model.transaction import USER
from apm_agent.tracing.current import current_transaction

_MOST_KEYS = 50


def add_context(**context: Any) -> None:
    """Add key–values to the current transaction; scrubbed and bounded before they are kept.

    Keys that name secrets are masked, objects are kept by their type's name only, and past 50 keys the rest is
    left out.
    """
    transaction = current_transaction()
    if transaction is None:
        return
    if transaction.context is None:
        transaction.context = {}
    kept = transaction.context
    for key, value in context.items():
        if key in kept or len(kept) < _MOST_KEYS:
            # Only plain values: an object kept until the writer looks at it would be pinned in memory.
            kept[key] = (
                value
                if isinstance(value, (str, int, float, bool, type(None)))
                else f"<{type(value).__name__}>"
            )


def rename_transaction(name: str) -> None:
    """Name the current transaction's endpoint; wins over every name found by an integration."""
    transaction = current_transaction()
    if transaction is not None:
        transaction.rename(str(name)[:200], USER)


def ignore_transaction() -> None:
    """Keep nothing of the current transaction."""
    transaction = current_transaction()
    if transaction is not None:
        transaction.ignored = True
