"""A real server of grpc for the tests of its clients; messages are plain bytes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import grpc

from apm_agent.config import Config
from apm_agent.model.origin import Origin
from apm_agent.recording.digest import Digest

#: Lets the calls go on that wait for it.
go_on = Event()


class Shop(grpc.GenericRpcHandler):
    """Says what metadata came, joins a stream, counts in one, answers each message, waits, or fails."""

    def service(self, details: Any) -> Any:
        told = dict(details.invocation_metadata).get("traceparent", "")
        return {
            "/shop.Shop/Told": grpc.unary_unary_rpc_method_handler(lambda request, _: told.encode()),
            "/shop.Shop/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/shop.Shop/Wait": grpc.unary_unary_rpc_method_handler(self.wait),
            "/shop.Shop/Join": grpc.stream_unary_rpc_method_handler(lambda requests, _: b"".join(requests)),
            "/shop.Shop/Count": grpc.unary_stream_rpc_method_handler(lambda request, _: iter([b"1", b"2"])),
            "/shop.Shop/None": grpc.unary_stream_rpc_method_handler(lambda request, _: iter(())),
            "/shop.Shop/Breaks": grpc.unary_stream_rpc_method_handler(self.fail),
            "/shop.Shop/Each": grpc.stream_stream_rpc_method_handler(
                lambda requests, _: map(bytes.upper, requests)
            ),
        }.get(details.method)

    @staticmethod
    def fail(request: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, request.decode())
        raise AssertionError

    @staticmethod
    def wait(request: bytes, context: Any) -> bytes:
        assert go_on.wait(60)
        return request


#: A trace that an application sends along itself.
OWN_TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"


def said_of_streams(transaction: Any, port: int) -> list[dict[str, Any]]:
    """What is kept of each call, which is as long as its messages were waited for; but times and addresses."""
    found = []
    for record, span in zip(
        Digest(Config(), Origin()).digest(transaction).spans, transaction.spans, strict=True
    ):
        tags = dict(record.tags or {})
        assert record.duration_ns == span.end_ns - span.start_ns + span.fetched.ns
        assert tags.pop("url").startswith(f"grpc://127.0.0.1:{port}/shop.Shop/")
        if tags["messages"]:
            assert 0 < tags.pop("first_message_ns") <= record.duration_ns
        found.append(tags)
    return found


@contextmanager
def shop() -> Iterator[int]:
    """The port it listens on."""
    server = grpc.server(ThreadPoolExecutor(4), handlers=[Shop()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        go_on.set()
        server.stop(None).wait()
        go_on.clear()
