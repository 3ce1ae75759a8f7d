"""Rows that are read after the call returned that ran their statement: to whose span their time belongs."""

from __future__ import annotations

from typing import Any

from apm_agent.model.span import Fetched, Span
from apm_agent.tracing.current import current


def fetched_of_another() -> Fetched | None:
    """That of the statement's span around this call: Django, SQLAlchemy or a connection opened it; or None."""
    span = current.get()
    if not isinstance(span, Span) or span.kind != "db" or not span.leaf or span.end_ns:
        return None
    if span.fetched is None:
        span.fetched = Fetched()
    return span.fetched


def rows_in(found: Any) -> int:
    """How many rows a fetch gave: a list of them, one, or None."""
    return len(found) if isinstance(found, list) else int(found is not None)
