"""redis and valkey against a real redis-server, alone and as a cluster."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.cluster
import valkey
import valkey.asyncio
import valkey.asyncio.cluster
import valkey.cluster

import daemons
from servers import free_port

pytestmark = pytest.mark.server

SECRET = "hunter2"


class Library:
    """redis or valkey, by the names they share."""

    def __init__(self, module: ModuleType, name: str) -> None:
        self.system = module.__name__
        self.error = getattr(module, f"{name}Error")
        self.refused = module.exceptions.ConnectionError
        self.Client = getattr(module, name)
        self.AsyncClient = getattr(importlib.import_module(f"{self.system}.asyncio"), name)
        self.Cluster = getattr(importlib.import_module(f"{self.system}.cluster"), f"{name}Cluster")
        asynchronous = importlib.import_module(f"{self.system}.asyncio.cluster")
        self.AsyncCluster = getattr(asynchronous, f"{name}Cluster")


@pytest.fixture(params=[(redis, "Redis"), (valkey, "Valkey")], ids=["redis", "valkey"])
def library(request: pytest.FixtureRequest) -> Library:
    return Library(*request.param)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with daemons.redis(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture(scope="module")
def cluster_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with daemons.redis(tmp_path_factory.mktemp("cluster"), cluster=True) as port:
        with redis.Redis(port=port) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            while client.cluster("info")["cluster_state"] != "ok":
                pass
        yield port


@pytest.fixture
def client(library: Library, port: int, instruments: None) -> Iterator[Any]:
    with library.Client(port=port, decode_responses=True) as client:
        client.flushall()
        yield client


def said(spans: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    assert {span.kind for span in spans} == {"cache"}
    return [
        (span.name, {k: v for k, v in (span.tags or {}).items() if k not in ("host", "port", "system")})
        for span in spans
    ]


def test_a_command_is_one_span_without_keys_and_values(
    library: Library, client: Any, port: int, traced: Any
) -> None:
    with traced() as spans:
        assert client.set(f"key-{SECRET}", SECRET)
        assert client.get(f"key-{SECRET}") == SECRET
        assert client.get("nothing") is None
        assert client.mget(["nothing", f"key-{SECRET}"]) == [None, SECRET]
        assert client.hset("hash", mapping={"a": 1}) == 1
        assert client.hmget("hash", "a", "b") == ["1", None]
        assert client.config_get("maxclients")
        assert client.execute_command(f"GET key-{SECRET}") == SECRET
        assert client.execute_command(b"GET", f"key-{SECRET}") == SECRET
        assert client.execute_command("client", "setname", SECRET)
    assert said(spans) == [
        ("SET", {}),
        ("GET", {"hits": 1, "misses": 0}),
        ("GET", {"hits": 0, "misses": 1}),
        ("MGET", {"hits": 1, "misses": 1}),
        ("HSET", {}),
        ("HMGET", {"hits": 1, "misses": 1}),
        ("CONFIG GET", {}),
        ("GET", {"hits": 1, "misses": 0}),
        ("GET", {"hits": 1, "misses": 0}),
        ("CLIENT", {}),
    ]
    assert all(
        span.tags.items() >= {"system": library.system, "host": "localhost", "port": port}.items()
        for span in spans
    )
    assert {span.place[0].co_name for span in spans} == {"test_a_command_is_one_span_without_keys_and_values"}
    assert SECRET not in repr([(span.name, span.tags) for span in spans])


def test_r12_a_pipeline_is_one_span_and_runs(client: Any, traced: Any) -> None:
    with traced() as spans:
        with client.pipeline() as pipe:
            assert pipe.set("a", 1).incr("a").get("a") is pipe
            assert pipe.execute() == [True, 2, "2"]
        with client.pipeline(transaction=False) as pipe:
            for number in range(10):
                pipe.set(f"k{number}", number)
            assert pipe.execute() == [True] * 10

        def twice(pipe: Any) -> None:
            value = pipe.get("a")
            pipe.multi()
            pipe.set("a", int(value) * 2)

        assert client.transaction(twice, "a") == [True]
    assert said(spans) == [
        ("pipeline", {"commands": 3}),
        ("pipeline", {"commands": 10}),
        ("WATCH", {}),
        ("GET", {"hits": 1, "misses": 0}),
        ("pipeline", {"commands": 1}),
    ]


def test_scripts_locks_and_scans_work(client: Any, traced: Any) -> None:
    with traced() as spans:
        script = client.register_script("return redis.call('INCR', KEYS[1])")
        assert script(keys=["counted"]) == 1
        with client.lock("lock", timeout=5):
            assert client.get("lock")
        assert list(client.scan_iter("count*")) == ["counted"]
    names = [name for name, _ in said(spans)]
    assert names[0] == "EVALSHA"
    assert names[-1] == "SCAN"
    assert "SET" in names


def test_r12_pubsub_is_untouched(client: Any, traced: Any) -> None:
    with traced() as spans, client.pubsub() as listener:
        assert listener.subscribe("news") is None
        assert listener.get_message(timeout=5)["type"] == "subscribe"
        assert client.publish("news", SECRET) == 1
        assert listener.get_message(timeout=5)["data"] == SECRET
    assert said(spans) == [("PUBLISH", {})]


def test_r18_errors_close_spans_and_pass_through(library: Library, client: Any, traced: Any) -> None:
    client.set("text", "abc")
    with traced() as spans:
        with pytest.raises(library.error, match="not an integer"):
            client.incr("text")
        with client.pipeline() as pipe, pytest.raises(library.error, match="not an integer"):
            pipe.incr("text").execute()
        with pytest.raises((TypeError, IndexError)):
            client.execute_command()
        with library.Client(port=free_port()) as nobody, pytest.raises(library.refused):
            nobody.get("a")
    assert ["error" in span.tags for span in spans] == [True] * 4
    assert spans[0].tags["error"] == "ResponseError"


async def test_async(library: Library, port: int, instruments: None, traced: Any) -> None:
    async with library.AsyncClient(port=port, decode_responses=True) as client:
        await client.flushall()
        with traced() as spans:
            pending = client.set("a", 1)
            assert inspect.isawaitable(pending)
            assert await pending
            assert await client.get("a") == "1"
            assert await asyncio.gather(*(client.get("nothing") for _ in range(3))) == [None] * 3
            async with client.pipeline() as pipe:
                assert pipe.incr("a").get("a") is pipe
                assert await pipe.execute() == [2, "2"]
            async with client.pipeline() as pipe:
                await pipe.watch("a")
                assert await pipe.get("a") == "2"
                pipe.multi()
                assert await pipe.set("a", 5).execute() == [True]
            assert [key async for key in client.scan_iter("a*")] == ["a"]
    assert said(spans) == [
        ("SET", {}),
        ("GET", {"hits": 1, "misses": 0}),
        *[("GET", {"hits": 0, "misses": 1})] * 3,
        ("pipeline", {"commands": 2}),
        ("WATCH", {}),
        ("GET", {"hits": 1, "misses": 0}),
        ("pipeline", {"commands": 1}),
        ("SCAN", {}),
    ]
    assert {span.parent for span in spans} == {None}, "side by side, not in one another"


async def test_r12_async_pubsub_is_untouched(
    library: Library, port: int, instruments: None, traced: Any
) -> None:
    async with library.AsyncClient(port=port, decode_responses=True) as client:
        with traced() as spans:
            async with client.pubsub() as listener:
                await listener.subscribe("news")
                assert (await listener.get_message(timeout=5))["type"] == "subscribe"
                assert await client.publish("news", SECRET) == 1
                async for message in listener.listen():
                    assert message["data"] == SECRET
                    break
    assert said(spans) == [("PUBLISH", {})]


async def test_r18_cancelled_commands_close_their_spans(
    library: Library, port: int, instruments: None, traced: Any
) -> None:
    async with library.AsyncClient(port=port) as client:
        with traced() as spans:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.blpop("never", timeout=30), 0.05)
            with pytest.raises(library.error):
                await client.execute_command("NONSENSE")
    assert [(name, tags["error"]) for name, tags in said(spans)] == [
        ("BLPOP", "CancelledError"),
        ("NONSENSE", "ResponseError"),
    ]


def test_cluster(library: Library, cluster_port: int, instruments: None, traced: Any) -> None:
    with library.Cluster(host="127.0.0.1", port=cluster_port, decode_responses=True) as client:
        client.flushall()
        with traced() as spans:
            assert client.set("a", 1)
            assert client.get("a") == "1"
            assert client.mget_nonatomic("a", "b") == ["1", None]
            with client.pipeline() as pipe:
                assert pipe.incr("a").get("b") is pipe
                assert pipe.execute() == [2, None]
    names = [name for name, _ in said(spans)]
    assert names[:2] == ["SET", "GET"]
    assert said(spans)[-1] == ("pipeline", {"commands": 2})
    assert {span.parent for span in spans} == {None}
    assert {span.tags["system"] for span in spans} == {library.system}


async def test_async_cluster(library: Library, cluster_port: int, instruments: None, traced: Any) -> None:
    async with library.AsyncCluster(host="127.0.0.1", port=cluster_port, decode_responses=True) as client:
        await client.flushall()
        with traced() as spans:
            assert await client.set("a", 1)
            assert await client.get("a") == "1"
            async with client.pipeline() as pipe:
                assert pipe.incr("a").get("b") is pipe
                assert await pipe.execute() == [2, None]
    assert said(spans) == [
        ("SET", {}), ("GET", {"hits": 1, "misses": 0}), ("pipeline", {"commands": 2}),
    ]  # fmt: skip


def test_threads_and_nothing_outside_a_transaction(client: Any, sink: list[Any]) -> None:
    worker = threading.Thread(target=client.set, args=("a", 1))
    worker.start()
    worker.join()
    assert client.get("a") == "1"
    assert sink == []


def test_commands_without_end_do_not_fill_memory(client: Any, library: Library, traced: Any) -> None:
    from apm_agent.instruments.redis import _names

    with traced() as spans:
        for number in range(3):
            with pytest.raises(library.error):
                client.execute_command(f"x{number}{'y' * 10_000}")
            with pytest.raises(library.error):
                client.execute_command("\x00<script>")
    assert {span.name for span in spans} == {"command"}
    assert max(map(len, _names)) <= 64
