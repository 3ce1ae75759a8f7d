"""More ways a secret comes by an application: calls to others, templates, programs and jobs."""

from __future__ import annotations

import asyncio
import http.client
import subprocess
import sys
import threading
import urllib.request
from typing import Any

import apm_agent
from canaries import World, way
from grpc_shop import shop


def _address(canary: str, world: World, login: bool = True) -> str:
    who = f"app:{canary}@" if login else ""
    return f"http://{who}127.0.0.1:{world.upstream}/orders?token={canary}#{canary}"


def _open(address: str) -> None:
    with urllib.request.urlopen(address, timeout=9) as answer:
        answer.read()


@way()
def http_requests(canary: str, world: World) -> None:
    import requests

    requests.post(
        _address(canary, world), headers={"X-Key": canary}, cookies={"id": canary}, data=canary, timeout=9
    )


@way()
def http_urllib3(canary: str, world: World) -> None:
    import urllib3

    with urllib3.PoolManager() as pool:
        pool.request("GET", _address(canary, world), headers={"X-Key": canary})


@way()
def http_httpx(canary: str, world: World) -> None:
    import httpx

    httpx.get(_address(canary, world), headers={"X-Key": canary})


@way()
def http_aiohttp(canary: str, world: World) -> None:
    async def run() -> None:
        import aiohttp

        async with aiohttp.ClientSession() as session, session.get(_address(canary, world)) as answer:
            await answer.read()

    asyncio.run(run())


@way()
def http_urllib(canary: str, world: World) -> None:
    _open(_address(canary, world, login=False))
    client = http.client.HTTPConnection("127.0.0.1", world.upstream)
    client.request("GET", f"/orders?token={canary}", headers={"X-Key": canary})
    client.getresponse().read()
    client.close()


@way(free=True)
def http_path(canary: str, world: World) -> None:
    _open(f"http://127.0.0.1:{world.upstream}/reset/{canary}")


@way()
def http_grpc(canary: str, world: World) -> None:
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{world.upstream}") as channel:
        call = channel.unary_unary("/shop.Prices/Get")
        call(canary.encode(), metadata=(("key", canary),), timeout=2)  # what answers speaks no HTTP/2


@way(free=True)
def http_grpc_streams(canary: str, world: World) -> None:
    import grpc

    sent = canary.encode()

    async def run(port: int) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await channel.unary_unary("/shop.Shop/Told")(sent, metadata=(("key", canary),))
            async for _ in channel.unary_stream("/shop.Shop/Count")(sent, metadata=(("key", canary),)):
                pass
            await channel.unary_unary("/shop.Shop/Fail")(sent)  # its error quotes what was sent

    with shop() as port:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            list(channel.stream_stream("/shop.Shop/Each")(iter([sent])))
        asyncio.run(run(port))


@way()
def http_botocore(canary: str, world: World) -> None:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "dynamodb", endpoint_url=f"http://127.0.0.1:{world.upstream}", region_name="eu-west-1",
        aws_access_key_id=canary, aws_secret_access_key=canary, config=Config(retries={"max_attempts": 0}),
    )  # fmt: skip
    try:
        client.get_item(TableName=canary, Key={"name": {"S": canary}})
    finally:
        client.close()


@way()
def http_elasticsearch(canary: str, world: World) -> None:
    import elasticsearch

    with elasticsearch.Elasticsearch(
        f"http://127.0.0.1:{world.upstream}", basic_auth=("app", canary)
    ) as client:
        client.search(index="item", query={"match": {"name": canary}})


@way()
def templates(canary: str, world: World) -> None:
    import jinja2
    from mako.template import Template

    jinja2.Environment(autoescape=True).from_string("{{ it }}").render(it=canary)
    Template("${it}").render(it=canary)


@way()
def subprocess_arguments(canary: str, world: World) -> None:
    subprocess.run([sys.executable, "-c", "pass", canary], env={"KEY": canary}, check=True)
    subprocess.run(f"true {canary}", shell=True, check=True)


# Jobs run beside requests: in a thread that knows of none.


def _beside(run: Any) -> None:
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@way()
def job_arguments(canary: str, world: World) -> None:
    @apm_agent.background_transaction("job_arguments nightly")
    def job(given: str) -> None:
        raise KeyError(given)

    def run() -> None:
        try:
            job(canary)
        except KeyError:
            return

    _beside(run)


@way()
def job_arguments_of_huey(canary: str, world: World) -> None:
    from huey import MemoryHuey

    huey = MemoryHuey(immediate=True)

    @huey.task()  # type: ignore[untyped-decorator]
    def job(given: str, password: str) -> None:
        raise KeyError(given)

    _beside(lambda: job(canary, password=canary))


@way()
def job_arguments_of_celery(canary: str, world: World) -> None:
    from celery import Celery

    app = Celery("shop", broker="memory://", set_as_current=False)
    app.conf.task_always_eager = True

    @app.task(name="celery canary")  # type: ignore[untyped-decorator]
    def job(given: str, password: str) -> None:
        raise KeyError(given)

    _beside(lambda: job.apply_async((canary,), {"password": canary}))


@way()
def job_arguments_of_dramatiq(canary: str, world: World) -> None:
    import dramatiq
    from dramatiq.brokers.stub import StubBroker

    broker = StubBroker(middleware=[])

    def job(given: str, password: str) -> None:
        raise KeyError(given)

    actor = dramatiq.actor(broker=broker, actor_name="dramatiq_canary")(job)
    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=1)
    worker.start()
    try:
        actor.send(canary, password=canary)
        broker.join("default", timeout=9_000)
        worker.join()
    finally:
        worker.stop()
