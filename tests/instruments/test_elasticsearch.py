"""Elasticsearch's clients against a responder that answers as its HTTP API does: there is no server to install here."""

from __future__ import annotations

import inspect
import json
import pickle
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import elasticsearch
import elasticsearch._async.client._base as async_base
import elasticsearch._sync.client._base as sync_base
import elasticsearch.helpers
import pytest

from apm_agent.instruments import patching

OLD = elasticsearch.__version__ < (8, 12)  # which did not say what it was called by


class Responder(BaseHTTPRequestHandler):
    """Finds two documents in every index, and none of any id."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        status, reply = 200, {"acknowledged": True}
        if "/_search" in self.path:
            reply = {"hits": {"total": {"value": 2}, "hits": [{"_id": "1"}, {"_id": "2"}]}}
        elif "/_bulk" in self.path:
            items = [{"index": {"_id": str(n), "status": 201}} for n in range(body.count(b"\n") // 2)]
            reply = {"errors": False, "items": items}
        elif "/_doc/" in self.path:
            status, reply = 404, {"found": False}
        data = json.dumps(reply).encode()
        self.send_response(status)
        kind = self.headers.get("accept", "application/json").partition(",")[0]
        for name, value in (("X-Elastic-Product", "Elasticsearch"), ("Content-Type", kind)):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Responder) as listening:
        listening.daemon_threads = True
        listening.block_on_close = False
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://a-user:canary@127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()


@pytest.fixture
def url(instruments: None, server: str) -> str:
    return server


def expected() -> list[tuple[str, int | None]]:
    """What either client is seen to do."""
    if OLD:
        return [
            ("POST /customer/_search", 2),
            ("GET /customer/_doc/?", None),
            ("PUT /_bulk", 3),
            ("GET /_cat/?", None),
        ]
    return [("search customer", 2), ("get customer", None), ("bulk", 3), ("cat.indices", None)]


def seen(spans: list[Any]) -> list[tuple[str, int | None]]:
    """The calls, and how many documents; the client's helpers have a span of OpenTelemetry around theirs."""
    spans = [s for s in spans if not s.name.startswith("helpers.")]
    assert {(s.kind, s.tags["system"]) for s in spans} == {("db", "elasticsearch")}
    assert {s.place[0].co_filename if s.place else "" for s in spans} == {__file__}
    assert "canary" not in repr([(s.name, s.tags, s.statement) for s in spans])
    return [(s.name, s.tags.get("rows")) for s in spans]


def test_each_call_is_one_span_and_no_http_below(traced: Any, url: str) -> None:
    with elasticsearch.Elasticsearch(url) as client, traced() as spans:
        found = client.search(index="customer", query={"term": {"name": "canary"}})
        assert len(found["hits"]["hits"]) == 2
        with pytest.raises(elasticsearch.NotFoundError):
            client.get(index="customer", id="canary")
        actions = [{"_index": "customer", "name": "canary"} for _ in range(3)]
        assert elasticsearch.helpers.bulk(client, actions)[0] == 3
        client.cat.indices(format="json")
    assert seen(spans) == expected()
    assert spans[1].tags["error"] == "NotFoundError"


async def test_async_calls_too(traced: Any, url: str) -> None:
    async with elasticsearch.AsyncElasticsearch(url) as client:
        with traced() as spans:
            found = await client.search(index="customer", query={"term": {"name": "canary"}})
            assert len(found["hits"]["hits"]) == 2
            with pytest.raises(elasticsearch.NotFoundError):
                await client.get(index="customer", id="canary")
            actions = [{"_index": "customer", "name": "canary"} for _ in range(3)]
            assert (await elasticsearch.helpers.async_bulk(client, actions))[0] == 3
            await client.cat.indices(format="json")
    assert seen(spans) == expected()


def test_r12_r43_kinds_are_kept_and_the_very_objects_come_back() -> None:
    owners = (sync_base.BaseClient, async_base.BaseClient)
    before = [vars(owner)["perform_request"] for owner in owners]
    patching.apply()
    for owner, was in zip(owners, before, strict=True):
        now: Any = owner.perform_request
        assert now is not was
        for ask in (inspect.iscoroutinefunction, inspect.isfunction, inspect.signature):
            assert ask(now) == ask(was)
        assert pickle.loads(pickle.dumps(now)) is now
    assert [s for s in patching.states() if s[0] == "elasticsearch"] == [("elasticsearch", "patched", "")]
    patching.remove()
    assert [vars(owner)["perform_request"] for owner in owners] == before
