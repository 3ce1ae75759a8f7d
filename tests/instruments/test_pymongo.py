"""pymongo, sync and async, and Motor, against a responder that speaks MongoDB's protocol."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pymongo
import pymongo.errors
import pymongo.monitoring
import pytest

import mongodb
from apm_agent.instruments import patching
from apm_agent.tracing.current import current

motor = pytest.importorskip("motor.motor_asyncio")


SINCE_4_9 = pytest.mark.skipif(
    not hasattr(pymongo, "AsyncMongoClient"),
    reason="pymongo has this since 4.9; before, pools are not watched",
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with mongodb.responder() as given:
        yield given


@pytest.fixture
def address(instruments: None, port: int) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "serverSelectionTimeoutMS": 5000}


def seen(spans: list[Any]) -> list[tuple[str, int | None]]:
    """Which commands were run, and the documents; the first connection of a client takes its time."""
    assert {s.tags["system"] for s in spans} <= {"mongodb"}
    return [(s.name, s.tags.get("rows")) for s in spans if s.kind == "db"]


def files(spans: list[Any]) -> set[str]:
    """Whose lines asked for it."""
    return {s.place[0].co_filename if s.place else "" for s in spans if s.kind == "db"}


def test_each_command_is_one_span(traced: Any, address: dict[str, Any]) -> None:
    with pymongo.MongoClient(**address) as client, traced() as spans:
        items = client.shop.item
        assert len(items.insert_many([{"_id": n, "name": "canary"} for n in range(5)]).inserted_ids) == 5
        assert items.find_one({"name": "canary"}) is not None
        assert len(list(items.find({"name": "canary"}, batch_size=3))) == 5
        assert items.delete_many({"name": "canary"}).deleted_count == 5
        client.admin.command("ping")
        with pytest.raises(pymongo.errors.OperationFailure):
            client.admin.command("fail", "canary")
    assert seen(spans) == [
        ("insert item", 5), ("find item", 5), ("find item", 3), ("getMore item", 2), ("delete item", 5),
        ("ping", None), ("fail", None),
    ]  # fmt: skip
    assert spans[-1].tags["error"] == "CommandNotFound"
    assert files(spans) == {__file__}
    assert {(s.parent, s.statement) for s in spans} == {(None, None)}
    assert spans[0].start_ns >= spans[0].transaction.start_ns


@SINCE_4_9
async def test_async_commands_too(traced: Any, address: dict[str, Any]) -> None:
    async with pymongo.AsyncMongoClient(**address) as client:
        with traced() as spans:
            items = client.shop.other
            await items.insert_one({"_id": 1})
            assert [item async for item in items.find({})] == [{"_id": 1}]
            await items.delete_many({})
            await client.admin.command("ping")
    assert seen(spans) == [("insert other", 1), ("find other", 1), ("delete other", 1), ("ping", None)]
    assert files(spans) == {__file__}


async def test_motor_too(traced: Any, address: dict[str, Any]) -> None:
    client = motor.AsyncIOMotorClient(**address)
    with traced() as spans:
        items = client.shop.motor
        await items.insert_one({"_id": 1})
        assert await items.find({}).to_list(10) == [{"_id": 1}]
        await items.delete_many({"_id": 1})
    client.close()
    assert seen(spans) == [("insert motor", 1), ("find motor", 1), ("delete motor", 1)]


@SINCE_4_9
async def test_r18_a_cancelled_command_leaves_nothing_open(traced: Any, address: dict[str, Any]) -> None:
    async with pymongo.AsyncMongoClient(**address) as client:
        await client.admin.command("ping")
        with traced() as spans:
            with pytest.raises((asyncio.TimeoutError, TimeoutError)):
                await asyncio.wait_for(client.admin.command("sleep", 1), 0.02)
            assert current.get() is not None
            await client.admin.command("ping")
    assert seen(spans)[-1] == ("ping", None)


class Watching(pymongo.monitoring.CommandListener, pymongo.monitoring.ConnectionPoolListener):
    """Knows when a command is under way, and wakes it a while after somebody has asked for its connection."""

    def __init__(self, wake: Callable[[], Any]) -> None:
        self.held = threading.Event()
        self.wake = wake
        self.woken = False

    def started(self, event: Any) -> None:
        if event.command_name == "sleep":
            self.held.set()

    def connection_check_out_started(self, event: Any) -> None:
        if self.held.is_set() and not self.woken:
            self.woken = True
            threading.Timer(0.02, self.wake).start()

    def _nothing(self, event: Any) -> None: ...

    succeeded = failed = pool_created = pool_ready = pool_cleared = pool_closed = connection_created = (
        _nothing
    )
    connection_ready = connection_closed = connection_check_out_failed = connection_checked_out = _nothing
    connection_checked_in = _nothing


@SINCE_4_9
def test_waiting_for_the_pool_is_a_wait_of_its_own(traced: Any, address: dict[str, Any]) -> None:
    with pymongo.MongoClient(**address) as other:
        watching = Watching(lambda: other.admin.command("wake"))
        with pymongo.MongoClient(**address, maxPoolSize=1, event_listeners=[watching]) as client:
            client.admin.command("ping")
            thread = threading.Thread(target=lambda: client.admin.command("sleep"))
            thread.start()
            watching.held.wait(5)
            with traced() as spans:
                client.admin.command("ping")
            thread.join()
    found = [(s.kind, s.name) for s in spans if s.name != "lock"]
    assert found == [("wait", "connection pool"), ("db", "ping")]


@SINCE_4_9
def test_r43_the_listeners_are_taken_off_again(port: int) -> None:
    import pymongo.synchronous.pool

    listeners, pool = pymongo.monitoring._LISTENERS, pymongo.synchronous.pool.Pool
    taken = vars(pool)["_get_conn"]
    before = [list(kind) for kind in listeners]
    patching.apply()
    assert [len(kind) for kind in listeners] == [len(before[0]) + 1, *map(len, before[1:])]
    assert [state for state in patching.states() if state[0] == "pymongo"] == [("pymongo", "patched", "")]
    patching.remove()
    assert [list(kind) for kind in listeners] == before
    assert vars(pool)["_get_conn"] is taken
