"""asgiref: work that ``sync_to_async`` takes to a thread keeps the line that asked for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.instruments.rows import Returning
from apm_agent.tracing.caller import handed, place_of_caller
from apm_agent.tracing.current import current


async def call(
    wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``SyncToAsync.__call__``: the thread works in a copy of this context."""
    if current.get() is None:
        return await wrapped(*args, **kwargs)
    before = handed.get()
    handed.set(place_of_caller())
    try:
        return await wrapped(*args, **kwargs)
    finally:
        handed.set(before)


PATCHES = (Returning("asgiref.sync:SyncToAsync.__call__", call),)
