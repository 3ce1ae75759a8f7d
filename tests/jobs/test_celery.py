"""Celery: real workers of each pool on a real Redis, started as people start them."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from apm_agent.instruments import patching
from apm_agent.model.scrub import scrub_text
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing

pytestmark = pytest.mark.server

WORKER = (
    "celery",
    "-A",
    "shop",
    "worker",
    "--without-mingle",
    "--without-gossip",
    "--without-heartbeat",
    "-l",
    "info",
)

APP = """
import os
import time
from celery import Celery
from celery.exceptions import Ignore

app = Celery("shop", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.broker_connection_retry_on_startup = True

@app.task
def add(a, b):
    return a + b

@app.task
def broken():
    raise ValueError("no such card: 'hunter2'")

@app.task(bind=True, max_retries=2)
def flaky(self):
    if self.request.retries < 2:
        raise self.retry(exc=ConnectionError("password=hunter2 refused"), countdown=0)
    return "done"

@app.task
def parent():
    return add.delay(1, 2).id

@app.task(time_limit=1)
def endless():
    time.sleep(60)

@app.task(track_started=True)
def forever():
    time.sleep(60)

@app.task
def killed():
    os.kill(os.getpid(), 9)

@app.task
def skipped():
    raise Ignore()
"""

ENQUEUE = """
import apm_agent
from celery.result import AsyncResult
from shop import add, broken, flaky, parent, skipped

with apm_agent.background_transaction("enqueuer"):
    results = [add.apply_async((1, 1), countdown=0.3), flaky.delay(), parent.delay()]
    failing = broken.delay()
    skipped.delay()
assert results[0].get(timeout=20) == 2
assert results[1].get(timeout=20) == "done"
AsyncResult(results[2].get(timeout=20)).get(timeout=20)
try:
    failing.get(timeout=20)
except ValueError:
    pass
"""


@pytest.mark.parametrize(
    "pool", [("prefork", "-c", "2"), ("threads", "-c", "2"), ("gevent", "-c", "4")], ids=lambda p: p[0]
)
def test_a_run_of_a_task_is_a_transaction(site: Any, pool: tuple[str, ...]) -> None:
    site.write("shop.py", APP)
    site.write("enqueue.py", ENQUEUE)
    with site.program(*WORKER, "-P", *pool) as worker:
        site.run("python", "enqueue.py")
        site.named("shop.skipped", 1)
        assert worker.stop() == 0, worker.output
    enqueuer = site.one("enqueuer")
    assert {ran.kind for ran in site.ran()} == {"background"}

    first, second = site.named("shop.add", 2)
    parent = site.one("shop.parent")
    by = {ran.context["enqueued_by"] for ran in (first, second)}
    assert by == {enqueuer.hex, parent.hex}, "each names who enqueued it"
    (late,) = (ran for ran in (first, second) if ran.context["enqueued_by"] == enqueuer.hex)
    assert late.queue_ns is not None
    since = late.started - enqueuer.started
    assert late.queue_ns <= since - 300_000_000 + 5_000_000, "a delay that was asked for is no wait"
    assert parent.context["enqueued_by"] == enqueuer.hex
    assert parent.context["queue"] == "celery"
    assert parent.context["job"].startswith("celery ")

    broken = site.one("shop.broken")
    assert broken.failed
    assert broken.error == "ValueError"
    tries = site.named("shop.flaky")
    assert [ran.failed for ran in tries] == [False, False, False]
    assert [ran.context.get("outcome") for ran in tries] == ["retry", "retry", None]
    assert [ran.context.get("retries") for ran in tries] == [None, 1, 2]
    assert tries[0].context["reason"].startswith("ConnectionError: ")
    assert tries[1].context["enqueued_by"] == tries[0].hex, "a retry was enqueued by the try before it"
    assert site.one("shop.skipped").context["outcome"] == "ignored"
    site.keeps_no_secret()
    assert "apm-agent failed" not in worker.output


def test_r25_children_that_live_for_one_task_lose_nothing(site: Any) -> None:
    # And the application installs the agent itself.
    site.write("shop.py", "import apm_agent\napm_agent.install(service='shop')\n" + APP)
    site.write(
        "many.py",
        "import time\n"
        "from shop import add, endless, forever, killed\n"
        "results = [add.delay(number, 1) for number in range(10)]\n"
        "dying = [endless.delay(), killed.delay()]\n"
        "stopped = forever.delay()\n"
        "for result in results:\n"
        "    result.get(timeout=30)\n"
        "for result in dying:\n"
        "    result.get(timeout=30, propagate=False)\n"
        "while stopped.state != 'STARTED':\n"
        "    time.sleep(0.02)\n"
        "stopped.revoke(terminate=True)\n"
        "stopped.get(timeout=30, propagate=False)\n",
    )
    with site.program(
        *WORKER, "-P", "prefork", "-c", "5", "--max-tasks-per-child", "1", watched=False
    ) as worker:
        site.run("python", "many.py", watched=False)
        assert worker.stop() == 0, worker.output
    jobs = site.named("shop.add", 10)
    assert len(jobs) == 10
    assert all("enqueued_by" not in ran.context for ran in jobs), (
        "whoever enqueued them was in no transaction"
    )
    assert all(ran.queue_ns is not None for ran in jobs)
    for name, error in (("shop.endless", "TimeLimitExceeded"), ("shop.killed", "WorkerLostError")):
        dead = site.one(name)
        assert dead.failed
        assert dead.error == f"billiard.exceptions.{error}"
        assert dead.context["outcome"] == "killed"
    assert site.one("shop.endless").duration_ns >= 900_000_000
    stopped = site.one("shop.forever")
    assert not stopped.failed
    assert stopped.context["outcome"] == "revoked"


def test_over_rabbitmq(site: Any, rabbit_port: int) -> None:
    site.env["BROKER"] = f"amqp://guest:guest@127.0.0.1:{rabbit_port}//"
    site.write("shop.py", APP)
    site.write(
        "one.py",
        "import apm_agent\nfrom shop import parent\n"
        "with apm_agent.background_transaction('enqueuer'):\n    result = parent.delay()\n"
        "result.get(timeout=20)\n",
    )
    with site.program(*WORKER, "-P", "threads") as worker:
        site.run("python", "one.py")
        job, parent = site.one("shop.add"), site.one("shop.parent")
        worker.stop(signal.SIGKILL)  # Celery takes ten seconds to leave a RabbitMQ, with us or without
    assert job.context["enqueued_by"] == parent.hex
    assert parent.context["enqueued_by"] == site.one("enqueuer").hex
    assert parent.queue_ns is not None


def double(number: int) -> int:
    return number * 2


class TestEager:
    @pytest.fixture
    def app(self, seen: list[Transaction]) -> Any:
        from celery import Celery

        app = Celery("eager", set_as_current=False)
        app.conf.task_always_eager = True
        return app

    def test_it_is_a_transaction_where_there_is_none(self, app: Any, seen: list[Transaction]) -> None:
        task = app.task(name="double")(double)
        assert task.delay(2).get() == 4
        (job,) = seen
        assert (job.kind, job.name, job.failure, job.queue_ns) == ("background", "double", None, None)

    def test_it_is_a_span_of_the_request_that_runs_it(self, app: Any, seen: list[Transaction]) -> None:
        task = app.task(name="double")(double)
        active = tracing.tracer
        assert active is not None
        request = active.begin("web", "GET /")
        task.delay(2)
        active.end(request)
        assert seen == [request]
        assert [(span.kind, span.name) for span in request.spans] == [("code", "double")]
        assert all(span.end_ns for span in request.spans)

    def test_retries_are_told_apart_from_failures(self, app: Any, seen: list[Transaction]) -> None:
        def flaky(self: Any) -> str:
            if self.request.retries < 2:
                raise self.retry(exc=OSError("no"), countdown=0)
            return "done"

        task = app.task(name="flaky", bind=True, max_retries=3)(flaky)
        assert task.delay().get() == "done"
        assert [(job.name, job.failure) for job in seen] == [("flaky", None)] * 3
        assert [(job.context or {}).get("outcome") for job in seen] == ["retry", "retry", None]

    def test_a_failure_is_scrubbed(self, app: Any, seen: list[Transaction]) -> None:
        def broken() -> None:
            raise KeyError("hunter2")

        assert app.task(name="broken")(broken).delay().failed()
        (job,) = seen
        assert job.failure is not None
        assert job.failure.type == "KeyError"
        assert "hunter2" not in scrub_text(job.failure.message)  # as the writer does
        assert job.failure.place is not None
        assert job.failure.place[0].co_name == "broken"

    def test_an_application_that_leaves_by_system_exit(self, app: Any, seen: list[Transaction]) -> None:
        def leave() -> None:
            raise SystemExit(3)

        with pytest.raises(SystemExit):
            app.task(name="leave")(leave).delay()
        (job,) = seen
        assert job.ended


def test_signals_are_as_they_were_afterwards() -> None:
    from celery import signals

    before = {name: list(getattr(signals, name).receivers) for name in _SIGNALS}
    patching.apply()
    assert all(len(getattr(signals, name).receivers) == len(before[name]) + 1 for name in _SIGNALS)
    patching.remove()
    assert {name: list(getattr(signals, name).receivers) for name in _SIGNALS} == before


_SIGNALS = ("before_task_publish", "task_prerun", "task_failure", "task_retry", "task_postrun")
