"""requests, urllib3 and httpx against a real server on this machine."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import requests
import urllib3

from apm_agent.config import Config
from apm_agent.instruments import patching
from apm_agent.model.origin import Origin
from apm_agent.recording.digest import Digest
from apm_agent.tracing import tracer as tracing


class Upstream(BaseHTTPRequestHandler):
    """Answers, redirects, streams, or hangs until the test is over."""

    protocol_version = "HTTP/1.1"
    over = threading.Event()

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/hang"):
            self.over.wait(10)
            self.close_connection = True
            return
        if self.path.startswith("/redirect"):
            self.send_response(302)
            self.send_header("Location", "/hello")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = b"x" * 100_000 if self.path.startswith("/stream") else b"hello"
        self.send_response(404 if self.path.startswith("/missing") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    Upstream.over.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Upstream.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nobody() -> str:
    """An address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def host(url: str) -> str:
    return url.partition("//")[2]


def said(spans: list[Any]) -> list[tuple[str, str, dict[str, Any] | None]]:
    return [(s.kind, s.name, s.tags) for s in spans]


SECRET = "user:hunter2@"
QUERY = "?token=hunter2#hunter2"


def expected(base: str, path: str, status: int, method: str = "GET") -> tuple[str, str, dict[str, Any]]:
    return "http", f"{method} {host(base)}", {"url": base + path, "status": status}


def test_requests_is_one_span_over_urllib3_redirects_included(traced: Any, upstream: str) -> None:
    url = upstream.replace("//", f"//{SECRET}")
    with traced() as spans, requests.Session() as session:
        assert session.get(f"{url}/hello{QUERY}").text == "hello"
        assert session.post(f"{upstream}/missing", data=b"hunter2").status_code == 404
        assert session.get(f"{upstream}/redirect").history
        with session.get(f"{upstream}/stream", stream=True) as streamed:
            assert sum(len(part) for part in streamed.iter_content(1000)) == 100_000
    assert said(spans) == [
        expected(upstream, "/hello", 200),
        expected(upstream, "/missing", 404, "POST"),
        expected(upstream, "/redirect", 200),
        expected(upstream, "/stream", 200),
    ]
    assert spans[0].place is not None
    assert spans[0].place[0].co_name == "test_requests_is_one_span_over_urllib3_redirects_included"


def test_urllib3(traced: Any, upstream: str) -> None:
    with traced() as spans, urllib3.PoolManager() as pool:
        assert pool.request("GET", f"{upstream}/hello{QUERY}").data == b"hello"
        streamed = pool.request("GET", f"{upstream}/stream", preload_content=False)
        assert sum(len(part) for part in streamed.stream(1000)) == 100_000
        streamed.release_conn()
    assert said(spans) == [expected(upstream, "/hello", 200), expected(upstream, "/stream", 200)]


def test_httpx(traced: Any, upstream: str) -> None:
    with traced() as spans, httpx.Client(follow_redirects=True) as client:
        assert client.get(f"{upstream.replace('//', '//' + SECRET)}/hello{QUERY}").text == "hello"
        assert client.get(f"{upstream}/redirect").history
        with client.stream("GET", f"{upstream}/stream") as streamed:
            assert sum(len(part) for part in streamed.iter_bytes()) == 100_000
    assert said(spans) == [
        expected(upstream, "/hello", 200),
        expected(upstream, "/redirect", 200),
        expected(upstream, "/stream", 200),
    ]


async def test_httpx_async(traced: Any, upstream: str) -> None:
    with traced() as spans:
        async with httpx.AsyncClient() as client:
            answers = await asyncio.gather(*(client.get(f"{upstream}/hello{QUERY}") for _ in range(3)))
            assert [answer.text for answer in answers] == ["hello"] * 3
            async with client.stream("GET", f"{upstream}/stream") as streamed:
                assert sum([len(part) async for part in streamed.aiter_bytes()]) == 100_000
    assert said(spans) == [expected(upstream, "/hello", 200)] * 3 + [expected(upstream, "/stream", 200)]
    assert {s.parent for s in spans} == {None}, "side by side, not in one another"


def test_r18_refused_connections_close_spans(traced: Any, nobody: str) -> None:
    with traced() as spans:
        with pytest.raises(requests.ConnectionError):
            requests.get(nobody, timeout=5)
        with urllib3.PoolManager() as pool, pytest.raises(urllib3.exceptions.MaxRetryError):
            pool.request("GET", nobody, retries=urllib3.Retry(2, backoff_factor=0))
        with pytest.raises(httpx.ConnectError):
            httpx.get(nobody)
    assert [(s.name, (s.tags or {})["error"]) for s in spans] == [
        (f"GET {host(nobody)}", "ConnectionError"),
        (f"GET {host(nobody)}", "MaxRetryError"),
        (f"GET {host(nobody)}", "ConnectError"),
    ]


async def test_r18_timeouts_and_cancellation_close_spans(traced: Any, upstream: str) -> None:
    with traced() as spans:
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{upstream}/hang", timeout=0.05)
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{upstream}/hang", timeout=0.05)
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.get(f"{upstream}/hang", timeout=0.05)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.get(f"{upstream}/hang", timeout=5), 0.05)
    errors = [(s.tags or {})["error"] for s in spans]
    assert errors == ["ReadTimeout", "ReadTimeout", "ReadTimeout", "CancelledError"]


def test_r32_secrets_in_a_path_are_not_kept(instruments: None, sink: list[Any], upstream: str) -> None:
    assert tracing.tracer is not None
    transaction = tracing.tracer.begin("web", "GET /")
    requests.get(f"{upstream}/reset/eyJhbGciOi.eyJzdWIiOiIx.c2lnbmF0dXJl/me@example.com")
    tracing.tracer.end(transaction)
    [span] = Digest(Config(), Origin()).digest(transaction).spans
    assert (span.tags or {})["url"] == f"{upstream}/reset/[scrubbed]/[scrubbed]"


def test_r12_r43_clients_are_what_they_were() -> None:
    def facts() -> list[Any]:
        session = pickle.loads(pickle.dumps(requests.Session()))
        return [
            inspect.signature(requests.Session.send),
            inspect.signature(httpx.AsyncClient.send),
            inspect.iscoroutinefunction(httpx.AsyncClient.send),
            inspect.iscoroutinefunction(httpx.Client.send),
            inspect.getfullargspec(urllib3.HTTPConnectionPool.urlopen),
            type(copy.copy(session)),
            type(session.send),
        ]

    places = (
        (requests.Session, "send"),
        (urllib3.HTTPConnectionPool, "urlopen"),
        (httpx.Client, "send"),
        (httpx.AsyncClient, "send"),
    )
    objects, before = [vars(owner)[name] for owner, name in places], facts()
    patching.apply()
    assert all(vars(owner)[name] is not found for (owner, name), found in zip(places, objects, strict=True))
    assert facts() == before
    patching.remove()
    assert all(vars(owner)[name] is found for (owner, name), found in zip(places, objects, strict=True))
