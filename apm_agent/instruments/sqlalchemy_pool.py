"""SQLAlchemy's pools, sync and async: a span a wait for a connection, where one has to wait.

The queue below the pool is watched, not the pool: whoever finds a connection there, or may open one more, waits for
nothing, and what opening takes is the driver's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.instruments.wrapping import within
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing

_looking = contained("looking at SQLAlchemy's pool")


def get(wrapped: Callable[..., Any], queue: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Queue.get(block=True, timeout=None)``."""
    span = None
    with _looking:
        if (args[0] if args else kwargs.get("block", True)) and queue.empty():
            span = tracing.open_span("wait", "connection pool", False, 2)
    if span is None:
        return wrapped(*args, **kwargs)
    return within(span, _get, wrapped, queue, args, kwargs)


def _get(
    span: Span, wrapped: Callable[..., Any], queue: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    return wrapped(*args, **kwargs)


PATCHES = (
    Returning("sqlalchemy.util.queue:Queue.get", get),
    # Runs in a greenlet and returns when there is one, so it is no coroutine function either.
    Returning("sqlalchemy.util.queue:AsyncAdaptedQueue.get", get),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "SQLAlchemy's pools (sync, async)",
    "patch of the queue's `get` below `QueuePool`",
    "a wait for a connection, where there is one",
    ("SQLAlchemy",),
)
