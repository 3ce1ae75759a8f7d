"""Starlette and FastAPI: each background task is a transaction of its own, after the response it was added to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations import jobs
from apm_agent.tracing.current import current, current_transaction

#: The attribute of a task that holds its ticket, for tasks made inside a transaction.
_TICKET = "_apm_agent_ticket"


def made(wrapped: Callable[..., Any], task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``BackgroundTask.__init__(function, …)``: by the time it runs its request is over."""
    result = wrapped(*args, **kwargs)
    if current.get() is not None:
        with jobs.enqueueing:
            if current_transaction() is not None:
                setattr(task, _TICKET, jobs.ticket())
    return result


async def call(wrapped: Callable[..., Any], task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``await task()``."""
    outside = current.get()
    within = current_transaction()
    if within is not None and within.kind != "background":
        current.set(None)  # under some middlewares the request is still open, and yet answered
    run = None
    with jobs.beginning:
        run = jobs.begin(jobs.name_of(task.func), getattr(task, _TICKET, None))
    try:
        return await wrapped(*args, **kwargs)
    except BaseException as error:
        if run is not None and type(error).__name__ not in _STOPPED:
            run.fail(error)
        raise
    finally:
        if run is not None:
            with jobs.ending:
                run.end()
        current.set(outside)


#: What the server does to tasks when it ends, and the client when it goes, is no failure of theirs.
_STOPPED = frozenset({"CancelledError", "Cancelled", "GeneratorExit"})

PATCHES = (
    Returning("starlette.background:BackgroundTask.__init__", made),
    Returning("starlette.background:BackgroundTask.__call__", call),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Jobs",
    "Starlette, FastAPI: background tasks",
    "patch of `BackgroundTask`",
    "each task as a transaction after the response, how long it waited for that, the request that added it",
    ("starlette", "fastapi"),
)
