"""APScheduler 3: real schedulers with the executors people use."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from apm_agent.instruments import patching
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing

pytest.importorskip("apscheduler")

#: A second after its time a job has missed it, and a busy machine takes longer to start a process for it.
PATIENT = {"misfire_grace_time": 60}

APP = """
import threading
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.executors.pool import ProcessPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

def tick(number):
    return number

def broken():
    raise ValueError("no such card: 'hunter2'")

def main():
    done = threading.Semaphore(0)
    executors = {"default": {"type": "threadpool"}, "far": ProcessPoolExecutor(1)}
    scheduler = BackgroundScheduler(executors=executors, job_defaults={"misfire_grace_time": 60})
    scheduler.add_listener(lambda event: done.release(), EVENT_JOB_ERROR | EVENT_JOB_EXECUTED)
    scheduler.start()
    scheduler.add_job(tick, args=(1,))
    scheduler.add_job(tick, args=(2,), executor="far", name="far away")
    scheduler.add_job(broken)
    for _ in range(3):
        assert done.acquire(timeout=20)
    scheduler.shutdown()

if __name__ == "__main__":
    import shop
    shop.main()
"""


@pytest.mark.server
def test_a_run_in_a_thread_or_a_process_is_a_transaction(site: Any) -> None:
    site.write("shop.py", APP)
    output = site.run("python", "shop.py")
    near, far = site.named("shop.tick", 2)
    assert near.kind == "background"
    assert near.queue_ns is not None
    assert near.context["job"].startswith("apscheduler ")
    assert "far away" in {near.context.get("job_name"), far.context.get("job_name")}
    broken = site.one("shop.broken")
    assert broken.failed
    assert broken.error == "ValueError"
    site.keeps_no_secret()
    assert "apm-agent failed" not in output


class Heard:
    """What listeners of a scheduler hear."""

    def __init__(self, scheduler: Any) -> None:
        from apscheduler import events

        self.codes: list[int] = []
        self.event = threading.Event()
        self.outcomes = events.EVENT_JOB_ERROR | events.EVENT_JOB_EXECUTED | events.EVENT_JOB_MISSED
        scheduler.add_listener(self, self.outcomes)

    def __call__(self, event: Any) -> None:
        self.codes.append(event.code)
        self.event.set()


def noop() -> None:
    pass


async def later(done: asyncio.Event) -> None:
    done.set()


def test_runs_that_came_together_are_one_transaction_each(seen: list[Transaction]) -> None:
    from apscheduler.executors.pool import run_job
    from apscheduler.job import Job

    class Scheduler:
        timezone = timezone.utc

        def _lookup_executor(self, name: str) -> None:
            return None

    now = datetime.now(timezone.utc)
    job = Job(
        Scheduler(), id="one", func=noop, args=(), kwargs={}, name="noop", misfire_grace_time=3600, coalesce=False,
        max_instances=1, executor="default", trigger=_trigger(), next_run_time=now,
    )  # fmt: skip
    times = [now - timedelta(days=1), now - timedelta(seconds=2), now]
    events = run_job(job, "default", times, "apscheduler.test")
    assert [event.scheduled_run_time for event in events] == times
    name = f"{__name__}.noop"
    assert [transaction.name for transaction in seen] == [name, name], "what missed its time never ran"
    first, second = seen
    assert first.queue_ns is not None
    assert second.queue_ns is not None
    assert first.queue_ns - second.queue_ns > 1_000_000_000


def _trigger() -> Any:
    from apscheduler.triggers.date import DateTrigger

    return DateTrigger()


async def test_r23_a_run_is_no_part_of_the_request_that_set_its_timer(seen: list[Transaction]) -> None:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    scheduler = AsyncIOScheduler(timezone=timezone.utc, job_defaults=PATIENT)
    scheduler.start()
    active = tracing.tracer
    assert active is not None
    request = active.begin("web", "GET /")
    done = asyncio.Event()
    scheduler.add_job(later, args=(done,))
    await asyncio.wait_for(done.wait(), 20)
    active.end(request)
    scheduler.shutdown()
    await asyncio.sleep(0)
    assert {transaction.name for transaction in seen} == {"GET /", f"{__name__}.later"}
    assert request.spans == []


def test_listeners_hear_what_they_heard(seen: list[Transaction]) -> None:
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler(timezone=timezone.utc, job_defaults=PATIENT)
    heard = Heard(scheduler)
    scheduler.start()
    scheduler.add_job(noop)
    assert heard.event.wait(20)
    scheduler.shutdown()
    assert len(heard.codes) == 1
    assert [transaction.name for transaction in seen] == [f"{__name__}.noop"]


def test_what_is_patched_stays_what_it_was() -> None:
    from apscheduler.executors import asyncio as asynchronous
    from apscheduler.executors import base, pool

    before = base.run_job, pool.run_job, asynchronous.run_coroutine_job
    patching.apply()
    assert base.run_job is pool.run_job
    assert pickle.loads(pickle.dumps(pool.run_job)) is base.run_job
    assert inspect.iscoroutinefunction(asynchronous.run_coroutine_job)
    assert inspect.signature(base.run_job) == inspect.signature(before[0])
    patching.remove()
    assert (base.run_job, pool.run_job, asynchronous.run_coroutine_job) == before
