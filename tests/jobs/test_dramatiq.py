"""Dramatiq: real workers on a real Redis and a real RabbitMQ."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from apm_agent.instruments import patching
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing

APP = """
import os
import dramatiq
from dramatiq.middleware import AsyncIO, SkipMessage
if os.environ["BROKER"].startswith("redis"):
    from dramatiq.brokers.redis import RedisBroker as Broker
else:
    from dramatiq.brokers.rabbitmq import RabbitmqBroker as Broker

broker = Broker(url=os.environ["BROKER"])
broker.add_middleware(AsyncIO())
dramatiq.set_broker(broker)

@dramatiq.actor
def add(a, b):
    pass

@dramatiq.actor
async def later(a):
    add.send(a, a)

@dramatiq.actor(max_retries=0)
def broken():
    raise ValueError("no such card: 'hunter2'")

@dramatiq.actor(max_retries=1, min_backoff=1, max_backoff=1)
def flaky():
    raise ConnectionError("password=hunter2 refused")

@dramatiq.actor
def skipped():
    raise SkipMessage("not today")
"""

ENQUEUE = """
import apm_agent
import shop

with apm_agent.background_transaction("enqueuer"):
    shop.add.send(1, 1)
    shop.add.send_with_options(args=(1, 1), delay=300)
    shop.later.send(1), shop.broken.send(), shop.flaky.send(), shop.skipped.send()
"""

WORKER = ("dramatiq", "shop", "-p", "1", "-t", "2")


@pytest.mark.server
@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_a_message_processed_is_a_transaction(site: Any, kind: str, request: pytest.FixtureRequest) -> None:
    if kind == "rabbitmq":
        port = request.getfixturevalue("rabbit_port")
        site.env["BROKER"] = f"amqp://guest:guest@127.0.0.1:{port}/"
    site.write("shop.py", APP)
    site.write("enqueue.py", ENQUEUE)
    site.run("python", "enqueue.py")
    with site.program(*WORKER) as worker:
        added = site.named("add", 3)
        site.named("flaky", 2)
        site.named("skipped", 1)
        assert worker.stop() == 0, worker.output
    enqueuer, later = site.one("enqueuer"), site.one("later")
    assert {ran.kind for ran in site.ran()} == {"background"}
    assert sorted(ran.context["enqueued_by"] for ran in added) == sorted(
        [enqueuer.hex, enqueuer.hex, later.hex]
    )
    assert all(ran.queue_ns is not None for ran in added)
    assert later.context["enqueued_by"] == enqueuer.hex
    assert later.context["queue"] == "default"

    broken = site.one("broken")
    assert broken.failed
    assert broken.error == "ValueError"
    tries = site.named("flaky")
    assert [(ran.failed, ran.context.get("outcome")) for ran in tries] == [(False, "retry"), (True, None)]
    assert [ran.context.get("retries") for ran in tries] == [None, 1]
    assert tries[0].context["reason"].startswith("ConnectionError: ")
    assert tries[1].context["enqueued_by"] == tries[0].hex
    assert site.one("skipped").context["outcome"] == "skipped"
    site.keeps_no_secret()
    assert "apm-agent failed" not in worker.output
    assert "Unexpected failure" not in worker.output


@pytest.mark.server
def test_the_application_installs_the_agent_itself(site: Any) -> None:
    # After its broker is made; and what the workers did last is written as they end, for nothing else writes it.
    site.env["APM_AGENT_FLUSH_INTERVAL"] = "60"
    site.write("shop.py", APP + "\nimport apm_agent\napm_agent.install(service='shop')\n")
    site.write("enqueue.py", "import shop\nfor number in range(3):\n    shop.add.send(number, 1)\n")
    site.run("python", "enqueue.py", watched=False)
    with site.program(*WORKER, "-v", watched=False) as worker:
        site.drained("dramatiq:default", "dramatiq:default.msgs")
        assert worker.stop() == 0, worker.output
    assert len(site.named("add", 3)) == 3


class TestInOneProcess:
    @pytest.fixture
    def broker(self, seen: list[Transaction]) -> Any:
        from dramatiq.brokers.stub import StubBroker

        broker = StubBroker()
        yield broker
        broker.flush_all()
        broker.close()

    def test_it_is_a_transaction_of_the_worker(self, broker: Any, seen: list[Transaction]) -> None:
        import dramatiq

        @dramatiq.actor(broker=broker)
        def double(number: int) -> None:
            pass

        active = tracing.tracer
        assert active is not None
        request = active.begin("web", "GET /")
        double.send(2)
        active.end(request)
        worker = dramatiq.Worker(broker, worker_threads=1)
        worker.start()
        broker.join("default")
        worker.join()
        worker.stop()
        _, job = seen
        assert (job.kind, job.name, job.failure) == ("background", "double", None)
        assert job.queue_ns is not None
        assert (job.context or {})["enqueued_by"]

    def test_the_broker_gets_its_own_middleware_back(self, broker: Any) -> None:
        ours, *others = broker.middleware
        assert type(ours).__name__ == "APMMiddleware"
        patching.remove()
        assert broker.middleware == others

    def test_what_is_patched_stays_what_it_was(self) -> None:
        from dramatiq.broker import Broker

        patching.remove()
        before = vars(Broker)["__init__"]
        patching.apply()
        assert inspect.signature(Broker.__init__) == inspect.signature(before)
        patching.remove()
        assert vars(Broker)["__init__"] is before
