"""What was asked about and the store does not hold, in the one wording each has."""

from __future__ import annotations

from apm_agent.errors import NotFoundError
from apm_agent.queries.units import hex_id

#: Names come from whoever asks.
_LONGEST = 100


def transaction(number: int) -> NotFoundError:
    """To be raised for an id that no transaction here has."""
    return NotFoundError(
        f"the transaction {hex_id(number)} is not in the store, or of another host; too old ones are not kept"
    )


def endpoint(name: str) -> NotFoundError:
    """To be raised for a name that no endpoint has in what is looked at."""
    return NotFoundError(f"there is no endpoint {name[:_LONGEST]!r} in the store")


def statement(number: int) -> NotFoundError:
    """To be raised for an id that no statement has."""
    return NotFoundError(f"there is no statement {number} in the store")
