"""APScheduler 3: a transaction a run of a job, whichever executor runs it; its events come after, and elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations import jobs
from apm_agent.integrations.jobs import Job
from apm_agent.tracing.current import current

_MISSED = 2**14  # apscheduler.events.EVENT_JOB_MISSED


def run_job(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``run_job(job, jobstore_alias, run_times, logger_name)``: the runs that have come together, one by one."""
    if len(args) != 4 or kwargs:
        return wrapped(*args, **kwargs)
    job, alias, run_times, logger = args
    events: list[Any] = []
    for run_time in run_times:
        with _Alone(job, run_time) as run:
            found = wrapped(job, alias, [run_time], logger)
            run.hear(found)
        events += found
    return events


async def run_coroutine_job(
    wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The same of a coroutine."""
    if len(args) != 4 or kwargs:
        return await wrapped(*args, **kwargs)
    job, alias, run_times, logger = args
    events: list[Any] = []
    for run_time in run_times:
        with _Alone(job, run_time) as run:
            found = await wrapped(job, alias, [run_time], logger)
            run.hear(found)
        events += found
    return events


class _Alone:
    """One run, which is nobody's part: its timer may have been set inside a request that is still open."""

    __slots__ = ("job", "outside", "run", "run_time")

    def __init__(self, job: Any, run_time: Any) -> None:
        self.job = job
        self.run_time = run_time
        self.run: Job | None = None

    def __enter__(self) -> _Alone:
        self.outside = current.get()
        current.set(None)
        with jobs.beginning:
            job = self.job
            name = (job.func_ref or job.name).replace(":", ".", 1)
            self.run = jobs.begin(
                name,
                due=jobs.wall_ns(self.run_time),
                job=f"apscheduler {job.id}",
                job_name=job.name if not name.endswith(job.name) else None,
            )
        return self

    def hear(self, events: list[Any]) -> None:
        """What became of it: a failure is an event too, and what missed its time never ran."""
        run = self.run
        if run is None:
            return
        with jobs.ending:
            for event in events:
                if event.code == _MISSED:
                    run.drop()
                else:
                    run.fail(getattr(event, "exception", None))

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        with jobs.ending:
            if self.run is not None:
                self.run.end(error)
        current.set(self.outside)


def _rows(*modules: str) -> tuple[Returning, ...]:
    # Each has them under a name of its own; what a pool pickles is looked up where they were defined.
    return tuple(Returning(f"apscheduler.executors.{module}:run_job", run_job) for module in modules)


PATCHES = (
    *_rows("base", "pool", "asyncio", "debug", "gevent", "tornado", "twisted"),
    Returning("apscheduler.executors.asyncio:run_coroutine_job", run_coroutine_job),
    Returning("apscheduler.executors.tornado:run_coroutine_job", run_coroutine_job),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Jobs",
    "APScheduler 3 (threads, processes, asyncio)",
    "patch of `run_job` and `run_coroutine_job`; its listeners hear only afterwards",
    "each run of a job as a transaction by its function, how late it started; its jobs have no room for "
    "who added them",
    ("APScheduler",),
)
