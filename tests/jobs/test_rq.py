"""RQ: a real worker on a real Redis, which forks for each job."""

from __future__ import annotations

import inspect
import pickle
from contextlib import suppress
from typing import Any

import pytest

from apm_agent.instruments import patching
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing

pytestmark = pytest.mark.server

APP = """
import os
from rq import Retry

def killed():
    os.kill(os.getpid(), 9)

def add(a, b):
    return a + b

async def later(a):
    return a

def broken():
    raise ValueError("no such card: 'hunter2'")

def flaky():
    raise ConnectionError("password=hunter2 refused")

def again():
    return Retry(max=1)
"""

ENQUEUE = """
import datetime
import os
import apm_agent
from redis import Redis
from rq import Queue, Retry
import shop

queue = Queue("work", connection=Redis.from_url(os.environ["BROKER"]))
shared = {"mine": 1}
with apm_agent.background_transaction("enqueuer"):
    jobs = [queue.enqueue(shop.add, number, 1, meta=shared) for number in range(5)]
    queue.enqueue(shop.later, 1)
    queue.enqueue(shop.broken)
    queue.enqueue(shop.flaky, retry=Retry(max=1))
    queue.enqueue(shop.again)
    queue.enqueue(shop.killed)
assert shared == {"mine": 1}
assert all(job.meta["mine"] == 1 for job in jobs)
queue.enqueue("shop.add", 1, 1)
assert queue.jobs[-1].meta == {}
"""


def test_r25_each_job_in_a_process_of_its_own_is_kept(site: Any) -> None:
    site.write("shop.py", APP)
    site.write("enqueue.py", ENQUEUE)
    site.run("python", "enqueue.py")
    worker = site.run("rq", "worker", "--burst", "--url", site.env["BROKER"], "work")
    enqueuer = site.one("enqueuer")
    added = site.named("shop.add")
    assert len(added) == 6
    assert [ran.context.get("enqueued_by") for ran in added] == [enqueuer.hex] * 5 + [None]
    assert {ran.kind for ran in site.ran()} == {"background"}
    assert all(ran.queue_ns and ran.context["queue"] == "work" for ran in added)
    put = [ran.started - ran.queue_ns for ran in added]
    # Told a moment after it started, which is late on a busy machine: a job may seem to be put there before another.
    assert max(put) <= added[0].started, (
        "it waits from when it was put there, before the worker took the first"
    )
    assert min(put) > enqueuer.started - 1_000_000_000
    assert added[0].context["job"].startswith("rq ")
    assert len(site.named("shop.later")) == 1

    broken = site.one("shop.broken")
    assert broken.failed
    assert broken.error == "ValueError"
    tries = site.named("shop.flaky")
    assert [(ran.failed, ran.context.get("outcome")) for ran in tries] == [(False, "retry"), (True, None)]
    assert tries[0].context["reason"].startswith("ConnectionError: ")
    # Versions differ in how often it comes again.
    assert {ran.context.get("outcome") for ran in site.named("shop.again", 1)} == {"retry"}
    killed = site.one("shop.killed")
    assert killed.failed
    assert killed.context["outcome"] == "killed"
    assert killed.context["enqueued_by"] == enqueuer.hex
    site.keeps_no_secret()
    assert "apm-agent failed" not in worker


def test_the_application_installs_the_agent_itself(site: Any) -> None:
    site.write(
        "shop.py", "import apm_agent\napm_agent.install(service='shop')\ndef add(a, b):\n    return a + b\n"
    )
    site.write("enqueue.py", ENQUEUE.partition("shared =")[0] + "queue.enqueue(shop.add, 1, 2)\n")
    site.run("python", "enqueue.py", watched=False)
    # Whatever the worker imports before it forks: here the application and so the agent.
    site.run(
        "rq", "worker", "--burst", "--url", site.env["BROKER"], "-c", "shop", "-w", "rq.SimpleWorker", "work",
        watched=False,
    )  # fmt: skip
    assert site.one("shop.add").queue_ns


class TestInTheProcessThatEnqueues:
    @pytest.fixture
    def queue(self, seen: list[Transaction], redis_port: int) -> Any:
        import redis
        from rq import Queue

        with redis.Redis(port=redis_port) as client:
            client.flushall()
            yield Queue("here", connection=client, is_async=False)

    def test_it_is_a_span_of_the_request_that_runs_it(self, queue: Any, seen: list[Transaction]) -> None:
        active = tracing.tracer
        assert active is not None
        request = active.begin("web", "GET /")
        queue.enqueue(divmod, 7, 2)
        active.end(request)
        assert seen == [request]
        assert [span.kind for span in request.spans if span.name == "builtins.divmod"] == ["code"]

    def test_it_is_a_transaction_where_there_is_none(self, queue: Any, seen: list[Transaction]) -> None:
        with suppress(ZeroDivisionError):  # versions differ in whether a failure comes out here
            queue.enqueue(divmod, 7, 0)
        (job,) = [transaction for transaction in seen if transaction.name == "builtins.divmod"]
        assert job.failure is not None
        assert job.failure.type == "ZeroDivisionError"


def test_what_is_patched_stays_what_it_was() -> None:
    from rq.job import Job
    from rq.worker import Worker

    before = [vars(Job)["create"], vars(Job)["perform"], "perform_job" in vars(Worker)]
    signature = inspect.signature(Job.create)
    patching.apply()
    assert inspect.signature(Job.create) == signature
    assert inspect.ismethod(Job.create)
    assert inspect.isfunction(Job.perform)
    assert pickle.loads(pickle.dumps(Job.perform)) is Job.perform
    patching.remove()
    assert [vars(Job)["create"], vars(Job)["perform"], "perform_job" in vars(Worker)] == before
