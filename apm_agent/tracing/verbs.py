"""What an application says about its current transaction; outside of one every verb does nothing."""

from __future__ import annotations

from itertools import islice
from typing import Any

from apm_agent.errors import contained
from apm_agent.model.transaction import USER
from apm_agent.tracing.current import current_transaction

_MOST_KEYS = 50
#: Mappings and lists in one value, however deep.
_MOST_NESTED = 20
_copying = contained("copying what was added as context")
_PLAIN = (str, int, float, bool, type(None))


def add_context(**context: Any) -> None:
    """Add key–values to the current transaction; scrubbed and bounded before they are kept.

    Keys that name secrets are masked, what is nested is kept flat as in ``user.name``, objects are kept by their
    type's name only, and past 50 keys the rest is left out.
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
            kept[key] = _plain(value, [_MOST_NESTED])


def _plain(value: Any, left: list[int]) -> Any:
    # Not isinstance, which asks a lazy object, like Django's user or Flask's proxies, what it stands for.
    return value if issubclass(type(value), _PLAIN) else _copied(value, left)


def _copied(value: Any, left: list[int]) -> Any:
    """What is nested, as plain values; bounded, since the request waits for it."""
    left[0] -= 1
    if left[0] >= 0 and type(value) is dict:
        with _copying:  # another thread may be changing it
            return {
                key if isinstance(key, str) else f"<{type(key).__name__}>": _plain(inner, left)
                for key, inner in islice(value.items(), _MOST_KEYS)
            }
    if left[0] >= 0 and type(value) in {list, tuple}:
        return [_plain(inner, left) for inner in value[:_MOST_KEYS]]
    return f"<{type(value).__name__}>"


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
