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
#: Seconds; uvloop counts in milliseconds, and rounds.
_PRECISION = 0.002

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

        def run(ctx: Any, *args: Any, **kwargs: Any) -> Any:
            # Called right before the worker's timer starts; the task that runs it may have to wait for its turn. By
            # the loop's clock as the timer is: uvloop's stands still while callbacks run.
            limit = _Limit(self.worker.loop, self.worker.job_timeout_s, function.timeout_s)
            return _run(self.worker, function, limit, ctx, args, kwargs)

        return replace(function, coroutine=run)


class _Limit:
    """How long a run may take, from when it was called."""

    __slots__ = ("began", "loop", "seconds")

    def __init__(self, loop: Any, usual: float | None, own: float | None) -> None:
        self.loop = loop
        self.began = loop.time()
        self.seconds = usual if own is None else own

    def reached(self) -> bool:
        """Whether it is over, as precisely as timers are."""
        return self.seconds is not None and self.loop.time() - self.began >= self.seconds - _PRECISION


async def _run(  # noqa: PLR0917  (of a call, its parts)
    worker: Any, function: Any, limit: _Limit, ctx: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
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
            _fail(run, worker, limit, ctx["job_id"], error)
        raise
    finally:
        with jobs.ending:
            run.end()


def _fail(run: Job, worker: Any, limit: _Limit, job_id: str, error: BaseException) -> None:
    kind = type(error)
    if kind.__name__ == "CancelledError":
        if job_id in worker.aborting_tasks:
            run.note(outcome="aborted")
        elif limit.reached():
            run.fail(TimeoutError(f"longer than {limit.seconds:g} s"))
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
