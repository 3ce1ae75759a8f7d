"""arq: a transaction a run of a job's coroutine, in the task the worker makes for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from apm_agent.instruments.rows import Attached, Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations import jobs
from apm_agent.integrations.jobs import KEY, Job

_MILLISECOND = 1_000_000

#: The ticket of the job this task is for: it is read before there is a run to give it to.
_ticket: ContextVar[Any] = ContextVar("apm_agent_arq_ticket", default=None)
_workers: WeakSet[Any] = WeakSet()


def write(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``serialize_job(…)``: adds the ticket, where the message is a pickled dict, of which workers read what they know.

    Not where the application brings a serializer: it may allow no key but those there are.
    """
    if kwargs.get("serializer") is None:
        with jobs.enqueueing:
            kwargs = {**kwargs, "serializer": _Dump(jobs.ticket())}
    return wrapped(*args, **kwargs)


class _Dump:
    """`pickle.dumps` of a job and its ticket."""

    __slots__ = ("ticket",)

    def __init__(self, ticket: str) -> None:
        self.ticket = ticket

    def __call__(self, data: dict[str, Any]) -> Any:
        return sys.modules["arq.jobs"].pickle.dumps({**data, KEY: self.ticket})


def read(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``deserialize_job_raw(…)``: keeps the ticket for the run that follows in this task."""
    if kwargs.get("deserializer") is None:
        kwargs = {**kwargs, "deserializer": _load}
    return wrapped(*args, **kwargs)


def _load(data: bytes) -> Any:
    loaded = sys.modules["arq.jobs"].pickle.loads(data)
    with jobs.beginning:
        _ticket.set(loaded.get(KEY))
    return loaded


def made(wrapped: Callable[..., Any], worker: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Worker.__init__(…)``: its functions are looked up through us; those of the application stay as they are."""
    result = wrapped(*args, **kwargs)
    with jobs.beginning:
        worker.functions = _Functions(worker)
        _workers.add(worker)
    return result


class _Functions(dict[str, Any]):
    """A worker's functions by name; whoever looks one up to run it gets one that is timed."""

    def __init__(self, worker: Any) -> None:
        super().__init__(worker.functions)
        self.worker = worker

    def __getitem__(self, name: str) -> Any:
        function = super().__getitem__(name)

        async def run(ctx: Any, *args: Any, **kwargs: Any) -> Any:
            return await _run(self.worker, function, ctx, args, kwargs)

        return replace(function, coroutine=run)


async def _run(worker: Any, function: Any, ctx: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    run = None
    with jobs.beginning:
        run = jobs.begin(
            function.name,
            _ticket.get(),
            enqueued=jobs.wall_ns(ctx["enqueue_time"]),
            due=ctx["score"] * _MILLISECOND,
            job=f"arq {ctx['job_id']}",
            queue=worker.queue_name,
            retries=ctx["job_try"] - 1 or None,
        )
    if run is None:
        return await function.coroutine(ctx, *args, **kwargs)
    try:
        return await function.coroutine(ctx, *args, **kwargs)
    except BaseException as error:
        with jobs.ending:
            _fail(run, worker, function, ctx["job_id"], error)
        raise
    finally:
        with jobs.ending:
            run.end()


def _fail(run: Job, worker: Any, function: Any, job_id: str, error: BaseException) -> None:
    kind = type(error)
    if kind.__name__ == "CancelledError":
        limit = worker.job_timeout_s if function.timeout_s is None else function.timeout_s
        if job_id in worker.aborting_tasks:
            run.note(outcome="aborted")
        elif limit is not None and run.lasted() >= limit * 1_000 * _MILLISECOND:
            run.fail(TimeoutError(f"longer than {limit:g} s"))
        else:  # the worker stops: another one runs it again
            run.retry("the worker stopped")
    elif kind.__name__ in {"Retry", "RetryJob"} and kind.__module__.startswith("arq.") and worker.retry_jobs:
        run.retry(error.__cause__ or error.__context__ or "it raised Retry")
    else:
        run.fail(error)


def attach(module: Any) -> Callable[[], None]:
    """Give workers their functions back at the end."""

    def detach() -> None:
        for worker in list(_workers):
            worker.functions = dict(worker.functions)
        _workers.clear()

    return detach


PATCHES = (
    Returning("arq.connections:serialize_job", write),
    Returning("arq.worker:deserialize_job_raw", read),
    Returning("arq.worker:Worker.__init__", made),
    Attached("arq.worker", attach),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Jobs",
    "arq",
    "patch of the worker's look-up of functions and of the (de)serialising of jobs",
    "each run of a job or cron job as a transaction, its wait, retries and aborted ones told from "
    "failures, who enqueued it (a key of the pickled job; none where the application brings its own "
    "serializer)",
    ("arq",),
)
