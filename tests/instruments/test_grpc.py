"""grpc's synchronous client against a real server of it in this process."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc._channel
import pytest

from apm_agent.instruments import patching
from apm_agent.tracing import propagation
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.propagation import header_of
from servers import free_port

SECRET = b"hunter2"
OWNERS = [
    (owner, name)
    for owner in (grpc._channel._UnaryUnaryMultiCallable, grpc._channel._StreamUnaryMultiCallable)
    for name in ("__call__", "with_call")
]


class Shop(grpc.GenericRpcHandler):
    """Says what metadata came, joins a stream, counts in one, or fails; messages are plain bytes."""

    def service(self, details: Any) -> Any:
        told = dict(details.invocation_metadata).get("traceparent", "")
        return {
            "/shop.Shop/Told": grpc.unary_unary_rpc_method_handler(lambda request, _: told.encode()),
            "/shop.Shop/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/shop.Shop/Join": grpc.stream_unary_rpc_method_handler(lambda requests, _: b"".join(requests)),
            "/shop.Shop/Count": grpc.unary_stream_rpc_method_handler(lambda request, _: iter([b"1", b"2"])),
        }.get(details.method)

    @staticmethod
    def fail(request: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, request.decode())
        raise AssertionError


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(2), handlers=[Shop()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


@pytest.fixture
def channel(port: int, instruments: None) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


def test_a_call_is_one_span(channel: grpc.Channel, port: int, traced: Any) -> None:
    with traced() as spans:
        assert channel.unary_unary("/shop.Shop/Told")(SECRET, metadata=(("token", "hunter2"),)) == b""
        answer, call = channel.stream_unary("/shop.Shop/Join").with_call(iter([b"a", b"b"]))
        assert (answer, call.code()) == (b"ab", grpc.StatusCode.OK)
        assert list(channel.unary_stream("/shop.Shop/Count")(b"")) == [b"1", b"2"]
        assert channel.unary_unary("/shop.Shop/Told").future(b"").result() == b""
    host = f"127.0.0.1:{port}"
    assert [(span.kind, span.name, span.tags) for span in spans] == [
        ("http", f"grpc {host}", {"url": f"grpc://{host}/shop.Shop/Told", "code": "OK"}),
        ("http", f"grpc {host}", {"url": f"grpc://{host}/shop.Shop/Join", "code": "OK"}),
    ]
    assert spans[0].place[0].co_name == "test_a_call_is_one_span"


def test_under_an_interceptor_it_is_one_span_too(channel: grpc.Channel, traced: Any) -> None:
    class Adds(grpc.UnaryUnaryClientInterceptor):
        def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            return continuation(details, request)

    with traced() as spans:
        assert grpc.intercept_channel(channel, Adds()).unary_unary("/shop.Shop/Told")(b"") == b""
    assert len(spans) == 1


def test_r18_errors_close_spans_and_pass_through(channel: grpc.Channel, traced: Any) -> None:
    with traced() as spans:
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary("/shop.Shop/Fail")(SECRET)
        with pytest.raises(grpc.RpcError):
            channel.unary_unary("/shop.Shop/Nothing")(SECRET)
        with grpc.insecure_channel(f"dns:///127.0.0.1:{free_port()}") as nobody, pytest.raises(grpc.RpcError):
            nobody.unary_unary("/shop.Shop/Told")(SECRET)
    assert failed.value.details() == SECRET.decode()
    assert [(span.tags["error"], span.tags["code"]) for span in spans] == [
        ("_InactiveRpcError", "NOT_FOUND"),
        ("_InactiveRpcError", "UNIMPLEMENTED"),
        ("_InactiveRpcError", "UNAVAILABLE"),
    ]
    assert "hunter2" not in repr([(span.name, span.tags) for span in spans])


def test_only_named_hosts_get_the_trace(channel: grpc.Channel, port: int) -> None:
    assert tracing.tracer is not None
    transaction = tracing.tracer.begin("web", "GET /")
    ask = channel.unary_unary("/shop.Shop/Told")
    own = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    try:
        assert ask(b"") == b""
        propagation.configure(["127.0.0.1"])
        told = header_of(transaction).encode()
        assert ask(b"") == ask(b"", None, (("a", "b"),)) == ask(b"", metadata=[("a", "b")]) == told
        assert ask(b"", metadata=[("traceparent", own)]) == own.encode()
        with grpc.insecure_channel(f"localhost:{port}") as stranger:
            assert stranger.unary_unary("/shop.Shop/Told")(b"", metadata=iter([("a", "b")])) == b""
    finally:
        propagation.configure(())
        tracing.tracer.end(transaction)


def test_outside_a_transaction_nothing_is_kept(channel: grpc.Channel, sink: list[Any]) -> None:
    assert channel.unary_unary("/shop.Shop/Told")(b"") == b""
    assert sink == []


def test_r12_r43_calls_are_what_they_were() -> None:
    def facts() -> list[Any]:
        functions = [getattr(owner, name) for owner, name in OWNERS]
        return [(str(inspect.signature(f)), f.__qualname__, inspect.isfunction(f)) for f in functions]

    objects, before = [vars(owner)[name] for owner, name in OWNERS], facts()
    patching.apply()
    try:
        assert all(
            vars(owner)[name] is not found for (owner, name), found in zip(OWNERS, objects, strict=True)
        )
        assert facts() == before
    finally:
        patching.remove()
    assert all(vars(owner)[name] is found for (owner, name), found in zip(OWNERS, objects, strict=True))
