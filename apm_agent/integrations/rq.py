"""RQ: a transaction a job performed, written before the process forked for it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.clock import system
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations import jobs
from apm_agent.integrations.jobs import KEY, Job
from apm_agent.tracing.current import current_transaction


def create(wrapped: Callable[..., Any], cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Job.create(…)``: the job takes along which transaction made it, where there is one."""
    job = wrapped(*args, **kwargs)
    with jobs.enqueueing:
        if current_transaction() is not None:
            # A copy: many jobs may share the dict the application gave for them.
            job.meta = {**(job.meta or {}), KEY: jobs.ticket()}
    return job


def perform(wrapped: Callable[..., Any], job: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Job.perform()``: the function of the application and nothing of the worker's."""
    run = None
    with jobs.beginning:
        run = jobs.begin(
            job.func_name,
            (job.meta or {}).get(KEY),
            # Set anew as a retry or a scheduled job comes to its queue: what was asked for is no wait.
            due=jobs.wall_ns(job.enqueued_at),
            job=f"rq {job.id}",
            queue=job.origin,
            retries=getattr(job, "number_of_retries", None),
        )
    if run is None:
        return wrapped(*args, **kwargs)
    try:
        result = wrapped(*args, **kwargs)
    except BaseException as error:
        with jobs.ending:
            _fail(run, job, error)
        raise
    else:
        with jobs.ending:
            kind = type(result)
            # How a job asks for another try.
            if kind.__name__ == "Retry" and kind.__module__.startswith("rq."):
                run.retry("it returned Retry")
        return result
    finally:
        with jobs.ending:
            run.end()


def _fail(run: Job, job: Any, error: BaseException) -> None:
    if getattr(job, "retries_left", None):
        run.retry(error)
    else:
        run.fail(error)


def perform_job(
    wrapped: Callable[..., Any], worker: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``Worker.perform_job(…)``: the last moment of a process that was forked for one job."""
    try:
        return wrapped(*args, **kwargs)
    finally:
        if getattr(worker, "_is_horse", False):
            jobs.flush()


def horse_killed(
    wrapped: Callable[..., Any], worker: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``Worker.handle_work_horse_killed(job, pid, status, usage)``: what died left nothing of its own."""
    with jobs.ending:
        job, status = args[0], args[2]
        begun = jobs.wall_ns(
            getattr(getattr(worker, "execution", None), "created_at", None) or job.started_at
        )
        jobs.killed(
            job.func_name,
            0 if begun is None else max(0, system.wall() - begun),
            ChildProcessError(f"its process ended with status {status}"),
            (job.meta or {}).get(KEY),
            due=jobs.wall_ns(job.enqueued_at),
            job=f"rq {job.id}",
            queue=job.origin,
            outcome="killed",
        )
    return wrapped(*args, **kwargs)


def fork(wrapped: Callable[..., Any], worker: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Worker.fork_work_horse(…)``: what each of its children needs is loaded once, before the first."""
    jobs.prepare_to_fork()
    return wrapped(*args, **kwargs)


PATCHES = (
    Returning("rq.job:Job.create", create),
    Returning("rq.job:Job.perform", perform),
    Returning("rq.worker:Worker.fork_work_horse", fork),
    Returning("rq.worker:Worker.handle_work_horse_killed", horse_killed),
    Returning("rq.worker:Worker.perform_job", perform_job),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Jobs",
    "RQ",
    "patch of `Job.create`, `Job.perform` and of the worker's last moment",
    "each job performed as a transaction by its function, written before the process forked for it ends, "
    "or by the worker when that was killed; its wait, retries, who enqueued it (in the job's `meta`)",
    ("rq",),
)
