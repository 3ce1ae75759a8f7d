"""http.client, urllib.request and aiohttp's client against a real server on this machine."""

from __future__ import annotations

import asyncio
import copy
import http.client
import inspect
import pickle
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp.client_reqrep
import pytest
import requests

import upstream as upstreams
from apm_agent.instruments import patching
from servers import free_port

QUERY = "?token=hunter2#hunter2"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with upstreams.upstream() as port:
        yield port


@pytest.fixture
def base(port: int, instruments: None) -> str:
    return f"http://127.0.0.1:{port}"


def said(spans: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    assert {span.kind for span in spans} == {"http"}
    return [(span.name, span.tags) for span in spans]


def expected(base: str, path: str, status: int, method: str = "GET") -> tuple[str, dict[str, Any]]:
    return f"{method} {base.partition('//')[2]}", {"url": base + path, "status": status}


def test_urllib_is_one_span_redirects_included(base: str, traced: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("local")
    with traced() as spans:
        with urllib.request.urlopen(f"{base}/hello{QUERY}") as answer:
            assert answer.read()
        with urllib.request.urlopen(urllib.request.Request(f"{base}/hello", b"hunter2")) as answer:
            assert answer.status == 200
        with urllib.request.urlopen(f"{base}/hello", data=b"hunter2"):
            pass
        with urllib.request.urlopen(f"{base}/redirect?to=/hello") as answer:
            assert answer.url == f"{base}/hello"
        with urllib.request.urlopen((tmp_path / "file").as_uri()) as answer:
            assert answer.read() == b"local"
    assert said(spans) == [
        expected(base, "/hello", 200),
        expected(base, "/hello", 200, "POST"),
        expected(base, "/hello", 200, "POST"),
        expected(base, "/redirect", 200),
    ]
    assert spans[0].place[0].co_name == "test_urllib_is_one_span_redirects_included"


def test_http_client_is_one_span_from_asking_to_the_headers(base: str, port: int, traced: Any) -> None:
    with traced() as spans:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for path in ("/hello" + QUERY, "/missing"):
            connection.request("GET", path)
            assert connection.getresponse().read()
        connection.putrequest("POST", "/hello")
        connection.endheaders()
        assert connection.getresponse().read()
        connection.close()
    assert said(spans) == [
        expected(base, "/hello", 200),
        expected(base, "/missing", 404),
        expected(base, "/hello", 200, "POST"),
    ]
    assert "_apm_agent_asked" not in vars(connection)


def test_under_another_client_it_adds_no_span(base: str, traced: Any) -> None:
    with traced() as spans:
        assert requests.get(f"{base}/hello", timeout=10).status_code == 200
    assert said(spans) == [expected(base, "/hello", 200)]


async def test_aiohttp(base: str, traced: Any) -> None:
    with traced() as spans:
        async with aiohttp.ClientSession(base) as session:
            answers = await asyncio.gather(*(session.get(f"/hello{QUERY}") for _ in range(3)))
            assert [answer.status for answer in answers] == [200] * 3
            async with session.post("/missing", data=b"hunter2") as answer:
                assert await answer.read()
            async with session.get("/redirect", params={"to": "/hello"}) as answer:
                assert len(answer.history) == 1
    assert said(spans) == [
        *[expected(base, "/hello", 200)] * 3,
        expected(base, "/missing", 404, "POST"),
        expected(base, "/redirect", 200),
    ]
    assert {span.parent for span in spans} == {None}, "side by side, not in one another"


async def test_aiohttp_reads_no_body_and_shows_no_trace_config(base: str, traced: Any) -> None:
    with traced():
        async with aiohttp.ClientSession() as session, session.get(f"{base}/hello") as answer:
            assert session.trace_configs == []
            assert not answer.content.at_eof() or answer._body is None


def test_r18_refused_connections_and_bad_answers_close_spans(base: str, port: int, traced: Any) -> None:
    nobody = free_port()
    with traced() as spans:
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(f"http://127.0.0.1:{nobody}/x")
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"{base}/missing")
        missing.value.close()
        with pytest.raises(ConnectionRefusedError):
            http.client.HTTPConnection("127.0.0.1", nobody).request("GET", "/x")
        hanging = http.client.HTTPConnection("127.0.0.1", port, timeout=0.05)
        hanging.request("GET", "/hang")
        with pytest.raises(socket.timeout):
            hanging.getresponse()
        hanging.close()
        with pytest.raises((ValueError, AttributeError, TypeError)):
            urllib.request.urlopen("nonsense")
    errors = [(span.tags["error"], span.tags.get("status")) for span in spans]
    assert errors == [
        ("URLError", None), ("HTTPError", 404), ("ConnectionRefusedError", None), ("TimeoutError", None),
    ]  # fmt: skip


async def test_r18_cancelled_and_refused_aiohttp_requests_close_spans(base: str, traced: Any) -> None:
    with traced() as spans:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(f"http://127.0.0.1:{free_port()}/")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(session.get(f"{base}/hang"), 0.05)
            with pytest.raises(aiohttp.ClientResponseError):
                await session.get(f"{base}/missing", raise_for_status=True)
            with pytest.raises(aiohttp.InvalidURL):
                await session.get("http://")
    assert [span.tags["error"] for span in spans] == [
        "ClientConnectorError", "CancelledError", "ClientResponseError", "InvalidUrlClientError",
    ]  # fmt: skip


async def test_outside_a_transaction_nothing_is_kept(base: str, sink: list[Any]) -> None:
    with urllib.request.urlopen(f"{base}/hello") as answer:
        assert answer.read()
    async with aiohttp.ClientSession() as session, session.get(f"{base}/hello") as response:
        assert response.status == 200
    assert sink == []


def test_r12_r43_clients_are_what_they_were() -> None:
    places = (
        (urllib.request.OpenerDirector, "open"),
        (http.client.HTTPConnection, "getresponse"),
        (http.client.HTTPConnection, "endheaders"),
        (aiohttp.ClientSession, "_request"),
        (aiohttp.client_reqrep.ClientRequest, "send"),
    )

    def facts() -> list[Any]:
        found = []
        for owner, name in places:
            function = getattr(owner, name)
            found += [
                str(inspect.signature(function)),
                inspect.getfullargspec(function)._replace(annotations={}),
                inspect.iscoroutinefunction(function),
                function.__qualname__,
                pickle.loads(pickle.dumps(function)) is function,
                copy.copy(function) is function,
            ]
        return found

    objects, before = [vars(owner)[name] for owner, name in places], facts()
    patching.apply()
    try:
        assert all(
            vars(owner)[name] is not found for (owner, name), found in zip(places, objects, strict=True)
        )
        assert facts() == before
    finally:
        patching.remove()
    assert all(vars(owner)[name] is found for (owner, name), found in zip(places, objects, strict=True))
