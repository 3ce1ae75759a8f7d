"""Who is current, as the request's thread asks it."""

from __future__ import annotations

from apm_agent.model.current import current, transaction_of
from apm_agent.model.transaction import Transaction

__all__ = ["current", "current_transaction", "transaction_of"]


def current_transaction() -> Transaction | None:
    """The transaction this code runs in, or None outside of one or with the agent off."""
    return transaction_of(current.get())
