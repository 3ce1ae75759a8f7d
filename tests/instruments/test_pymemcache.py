"""pymemcache against a real memcached: the plain, pooled, hashing and retrying clients."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.client.retrying import RetryingClient
from pymemcache.exceptions import MemcacheClientError

import daemons
from apm_agent.instruments import patching
from servers import free_port

pytestmark = pytest.mark.server

SECRET = "hunter2"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with daemons.memcached() as port:
        yield port


@pytest.fixture(params=["plain", "pooled", "hashing", "retrying"])
def client(request: pytest.FixtureRequest, port: int, instruments: None) -> Iterator[Any]:
    server = ("127.0.0.1", port)
    made = {
        "plain": lambda: Client(server),
        "pooled": lambda: PooledClient(server),
        "hashing": lambda: HashClient([server]),
        "retrying": lambda: RetryingClient(Client(server), attempts=2),
    }[request.param]()
    made.flush_all()
    yield made
    made.close()


def said(spans: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    assert {span.kind for span in spans} == {"cache"}
    own = ("system", "host", "port")
    return [(span.name, {k: v for k, v in span.tags.items() if k not in own}) for span in spans]


def test_an_exchange_is_one_span_without_keys_and_values(client: Any, port: int, traced: Any) -> None:
    with traced() as spans:
        assert client.set(f"a-{SECRET}", SECRET)
        assert client.get(f"a-{SECRET}") == SECRET.encode()
        assert client.get("nothing") is None
        assert client.get("nothing", "default") == "default"
        assert client.set_many({"b": "1", "c": "2"}) == []
        assert client.get_many(["b", "c", "d"]) == {"b": b"1", "c": b"2"}
        assert client.get_multi(["b"]) == {"b": b"1"}
        assert client.incr("b", 4) == 5
        assert client.gets("b")[0] == b"5"
        assert client.add("b", "6", noreply=False) is False
        assert client.delete("b")
        assert client.touch("c", 100)
    assert said(spans) == [
        ("set", {}),
        ("get", {"hits": 1, "misses": 0}),
        ("get", {"hits": 0, "misses": 1}),
        ("get", {"hits": 0, "misses": 1}),
        ("set", {"keys": 2}),
        ("get", {"hits": 2, "misses": 1}),
        ("get", {"hits": 1, "misses": 0}),
        ("incr", {}),
        ("gets", {"hits": 1, "misses": 0}),
        ("add", {}),
        ("delete", {}),
        ("touch", {}),
    ]
    assert spans[0].tags == {"system": "memcached", "host": "127.0.0.1", "port": port}
    assert {s.place[0].co_name for s in spans} == {"test_an_exchange_is_one_span_without_keys_and_values"}
    assert SECRET not in repr([(span.name, span.tags) for span in spans])


@pytest.mark.skipif(not hasattr(Client, "raw_command"), reason="pymemcache has raw commands since 4.0")
def test_raw_commands_keep_their_text_to_themselves(port: int, instruments: None, traced: Any) -> None:
    client = Client(("127.0.0.1", port))
    with traced() as spans:
        client.raw_command(f"get {SECRET}", "END\r\n")
        client.raw_command("version")
    client.close()
    assert [span.name for span in spans] == ["command", "version"]


def test_r18_errors_close_spans_and_pass_through(port: int, instruments: None, traced: Any) -> None:
    client, nobody = Client(("127.0.0.1", port)), Client(("127.0.0.1", free_port()))
    with traced() as spans:
        client.set("text", "abc")
        with pytest.raises(MemcacheClientError):
            client.incr("text", 1)
        with pytest.raises(ConnectionRefusedError):
            nobody.get("a")
        assert HashClient([nobody.server], ignore_exc=True).get("a") is None
    client.close()
    assert [span.tags.get("error") for span in spans] == [
        None,
        "MemcacheClientError",
        "ConnectionRefusedError",
        "ConnectionRefusedError",
    ]


def test_outside_a_transaction_nothing_is_kept(client: Any, sink: list[Any]) -> None:
    assert client.set("a", "1")
    assert sink == []


def test_r12_r43_the_client_is_what_it_was() -> None:
    names = ("_fetch_cmd", "_store_cmd", "_misc_cmd")

    def facts() -> list[Any]:
        functions = [getattr(Client, name) for name in names]
        return [
            (str(inspect.signature(f)), f.__qualname__, inspect.isfunction(f), copy.copy(f) is f)
            for f in functions
        ] + [pickle.loads(pickle.dumps(f)) is f for f in functions]

    objects, before = [vars(Client)[name] for name in names], facts()
    patching.apply()
    try:
        assert all(vars(Client)[name] is not found for name, found in zip(names, objects, strict=True))
        assert facts() == before
    finally:
        patching.remove()
    assert all(vars(Client)[name] is found for name, found in zip(names, objects, strict=True))
