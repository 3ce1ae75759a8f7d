"""Keeps the line that asked for work while the work is done where no frame of it is: a thread, a greenlet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.tracing.caller import handed, place_of_caller
from apm_agent.tracing.current import current


async def hand(
    wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Await a coroutine function that passes this context on, with our line in it for as long."""
    if current.get() is None:
        return await wrapped(*args, **kwargs)
    before = handed.get()
    handed.set(place_of_caller())
    try:
        return await wrapped(*args, **kwargs)
    finally:
        handed.set(before)
