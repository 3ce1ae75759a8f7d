"""Hosts that are named get the trace of each call, strangers never, over every client; two services link."""

from __future__ import annotations

import asyncio
import http.client
import json
import sqlite3
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import aiohttp
import httpx
import pytest
import requests
import urllib3
from aiohttp import web

import apm_agent
import upstream as upstreams
from apm_agent.integrations.asgi import Middleware
from apm_agent.model.transaction import TRACE
from apm_agent.tracing import propagation
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.propagation import header_of
from servers import free_port

Call = Callable[[str, dict[str, str]], Any]


def by_requests(url: str, headers: dict[str, str]) -> Any:
    return requests.get(url, headers=headers, timeout=10).content


def by_urllib3(url: str, headers: dict[str, str]) -> Any:
    with urllib3.PoolManager() as pool:
        return pool.request("GET", url, headers=headers).data


def by_urllib(url: str, headers: dict[str, str]) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        return answer.read()


def by_httpx(url: str, headers: dict[str, str]) -> Any:
    return httpx.get(url, headers=headers, follow_redirects=True).content


def by_httpx_async(url: str, headers: dict[str, str]) -> Any:
    async def get() -> bytes:
        async with httpx.AsyncClient(follow_redirects=True) as client:
            return (await client.get(url, headers=headers)).content

    return asyncio.run(get())


def by_aiohttp(url: str, headers: dict[str, str]) -> Any:
    async def get() -> bytes:
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            return await answer.read()

    return asyncio.run(get())


CLIENTS = [by_requests, by_urllib3, by_urllib, by_httpx, by_httpx_async, by_aiohttp]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with upstreams.upstream() as port:
        yield port


@pytest.fixture
def ours(port: int) -> Iterator[str]:
    """The server by the name that is named; `localhost` is the same server as a stranger."""
    propagation.configure(["127.0.0.1"])
    yield f"http://127.0.0.1:{port}"
    propagation.configure(())


@pytest.mark.parametrize("call", CLIENTS)
def test_only_named_hosts_get_the_trace(call: Call, ours: str, instruments: None) -> None:
    theirs = ours.replace("127.0.0.1", "localhost")
    assert tracing.tracer is not None
    assert upstreams.sent(call(f"{ours}/hello", {})) == [], "no transaction, no trace"
    transaction = tracing.tracer.begin("web", "GET /")
    try:
        told, own = [header_of(transaction)], "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
        assert upstreams.sent(call(f"{ours}/hello", {})) == told
        assert upstreams.sent(call(f"{theirs}/hello", {})) == []
        assert upstreams.sent(call(f"{ours}/redirect?to={theirs}/hello", {})) == []
        assert upstreams.sent(call(f"{theirs}/redirect?to={ours}/hello", {})) == told
        assert upstreams.sent(call(f"{ours}/redirect?to=/hello", {})) == told
        assert upstreams.sent(call(f"{ours}/hello", {"Traceparent": own})) == [own]
        propagation.configure(())
        assert upstreams.sent(call(f"{ours}/hello", {})) == []
    finally:
        tracing.tracer.end(transaction)


def test_through_a_proxy_it_is_the_target_that_counts(ours: str, port: int, instruments: None) -> None:
    assert tracing.tracer is not None
    transaction = tracing.tracer.begin("web", "GET /")
    for target, told in ((f"{ours}/hello", [header_of(transaction)]), ("http://stranger.example/hello", [])):
        proxy = http.client.HTTPConnection("127.0.0.1", port)
        proxy.request("GET", target)
        assert upstreams.sent(proxy.getresponse().read()) == told
        proxy.close()
    tracing.tracer.end(transaction)


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def test_two_services_on_one_store_link(tmp_path: Path) -> None:
    def orders(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"three"]

    def shop(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        answer = requests.get(f"http://127.0.0.1:{server.server_port}/orders", timeout=10)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [answer.content]

    store = tmp_path / "apm.db"
    apm_agent.install(store=f"sqlite:///{store}", propagate_to="127.0.0.1")
    try:
        server = make_server("127.0.0.1", 0, apm_agent.wsgi(orders), handler_class=Quiet)
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/shop"}
        assert list(apm_agent.wsgi(shop)(environ, lambda *_: lambda _: None)) == [b"three"]
        thread.join()
        server.server_close()
        assert apm_agent.flush(10)
    finally:
        apm_agent.uninstall()
    assert not propagation.told("127.0.0.1"), "what is uninstalled tells nobody any more"
    connection = sqlite3.connect(store)
    rows = {
        path: (identity, json.loads(context))
        for identity, path, context in connection.execute("select id, path, context from transactions")
    }
    connection.close()
    caller, callee = rows["/shop"], rows["/orders"]
    assert callee[1]["called_by"] == f"{caller[0]:016x}"
    assert callee[1]["trace_id"] == caller[1]["trace_id"]
    assert len(callee[1]["trace_id"]) == 32
    assert "called_by" not in caller[1]


@pytest.mark.parametrize("header", [f"00-{'1' * 32}-{'2' * 16}-01".encode(), b"rubbish", b"\xff\x00" * 500])
async def test_an_asgi_request_continues_a_trace_and_survives_a_hostile_header(
    sink: list[Any], header: bytes
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        sent.append(message["type"])

    sent: list[str] = []
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"traceparent", header)]}
    await Middleware(app, None)(scope, None, send)
    assert sent == ["http.response.start", "http.response.body"]
    trace = (sink[0].notes or {}).get(TRACE)
    assert trace == (("1" * 32, "2" * 16, "01") if header.startswith(b"00-") else None)


async def test_servers_with_a_protocol_of_their_own_continue_a_trace_too(
    instruments: None, sink: list[Any]
) -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.add_routes([web.get("/hello", hello)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port := free_port())
    await site.start()
    headers = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/hello", headers=headers) as answer,
    ):
        assert await answer.text() == "hello"
    await runner.cleanup()
    assert [(transaction.notes or {})[TRACE] for transaction in sink] == [("1" * 32, "2" * 16, "01")]
