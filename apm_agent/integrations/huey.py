"""Huey: a transaction an execution of a task; its messages have no room for who enqueued it and when."""

from __future__ import annotations

from collections.abc import Callable
from sys import exc_info
from typing import Any

from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations import jobs
from apm_agent.integrations.jobs import Job

#: id of a task that is being executed → its run.
_open: dict[int, Job] = {}

_FAILURES = frozenset({"error", "timeout"})
#: Signals of what is neither done nor failed, as the outcome they mean.
_OUTCOMES = frozenset({"canceled", "interrupted", "locked", "rate-limited"})


def execute(wrapped: Callable[..., Any], huey: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Huey._execute(task, …)``: a task that is neither revoked nor before its time."""
    task = args[0] if args else kwargs.get("task")
    run = None
    with jobs.beginning:
        run = _begin(huey, task)
    if run is None:
        return wrapped(*args, **kwargs)
    _open[id(task)] = run
    try:
        return wrapped(*args, **kwargs)
    except BaseException as error:
        run.fail(error)
        raise
    finally:
        _open.pop(id(task), None)
        with jobs.ending:
            run.end()


def _begin(huey: Any, task: Any) -> Job | None:
    kind, eta = type(task), task.eta
    if eta is not None and eta.tzinfo is None and not huey.utc:
        eta = eta.astimezone()
    return jobs.begin(
        f"{kind.__module__}.{kind.__name__}",
        due=jobs.wall_ns(eta),
        job=f"huey {task.id}",
        queue=huey.name,
        retries_left=task.retries or None,
    )


def emit(wrapped: Callable[..., Any], huey: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Huey._emit(signal, task, …)``: where each of its signals comes by, of whichever instance of Huey."""
    with jobs.ending:
        run = _open.get(id(args[1])) if len(args) > 1 else None
        if run is not None:
            _hear(run, args[0])
    return wrapped(*args, **kwargs)


def _hear(run: Job, signal: str) -> None:
    if signal in _FAILURES:
        run.fail(exc_info()[1])  # sent where it is being handled
    elif signal == "retrying":
        run.retry()
    elif signal in _OUTCOMES:
        run.note(outcome=signal)


PATCHES = (
    Returning("huey.api:Huey._execute", execute),
    Returning("huey.api:Huey._emit", emit),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Jobs",
    "Huey (threads, processes, greenlets, immediate)",
    "patch of `Huey._execute` and of `Huey._emit`, where its signals come by",
    "each execution of a task as a transaction, retries, cancelled and locked ones told from failures; "
    "the wait of tasks with an `eta` only, for its messages say no more, and so not who enqueued them",
    ("huey",),
)
