"""grpc's synchronous client against a real server of it in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import grpc._channel
import grpc.experimental
import pytest

from apm_agent.tracing import propagation
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.propagation import header_of
from drivers import assert_same_and_back
from grpc_shop import OWN_TRACE, said_of_streams, shop
from servers import free_port

SECRET = b"hunter2"
OWNERS = tuple(
    getattr(grpc._channel, name)
    for name in (
        "_UnaryUnaryMultiCallable", "_StreamUnaryMultiCallable", "_UnaryStreamMultiCallable",
        "_SingleThreadedUnaryStreamMultiCallable", "_StreamStreamMultiCallable", "_MultiThreadedRendezvous",
        "_SingleThreadedRendezvous",
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with shop() as port:
        yield port


@pytest.fixture
def channel(port: int, instruments: None) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


def test_a_call_is_one_span(channel: grpc.Channel, port: int, traced: Any) -> None:
    with traced() as spans:
        assert channel.unary_unary("/shop.Shop/Told")(SECRET, metadata=(("token", "hunter2"),)) == b""
        answer, call = channel.stream_unary("/shop.Shop/Join").with_call(iter([b"a", b"b"]))
        assert (answer, call.code()) == (b"ab", grpc.StatusCode.OK)
        assert channel.unary_unary("/shop.Shop/Told").future(b"").result() == b""
    host = f"127.0.0.1:{port}"
    assert [(span.kind, span.name, span.tags) for span in spans] == [
        ("http", f"grpc {host}", {"url": f"grpc://{host}/shop.Shop/Told", "code": "OK"}),
        ("http", f"grpc {host}", {"url": f"grpc://{host}/shop.Shop/Join", "code": "OK"}),
    ]
    assert spans[0].place[0].co_name == "test_a_call_is_one_span"


@pytest.mark.parametrize("single", [False, True])
def test_a_stream_is_the_time_its_messages_were_waited_for(
    port: int, traced: Any, sink: list[Any], single: bool
) -> None:
    options = [(grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1)] if single else []
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel, traced():
        counting = channel.unary_stream("/shop.Shop/Count")(SECRET)
        assert isinstance(counting, grpc.RpcError)
        assert [*counting] == [b"1", b"2"]
        assert [*channel.stream_stream("/shop.Shop/Each")(iter([b"a", b"b", b"c"]))] == [b"A", b"B", b"C"]
        assert next(channel.unary_stream("/shop.Shop/Count")(b"")) == b"1"  # the rest is not waited for
        assert [*channel.unary_stream("/shop.Shop/None")(b"")] == []
        with pytest.raises(grpc.RpcError):
            next(channel.unary_stream("/shop.Shop/Breaks")(b""))
    broken = {"messages": 0, "code": "NOT_FOUND", "error": type(counting).__name__}
    ended = {"code": "OK"}
    assert said_of_streams(sink[-1], port) == [
        {"messages": 2, **ended},
        {"messages": 3, **ended},
        {"messages": 1},
        {"messages": 0, **ended},
        broken,
    ]


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
    try:
        assert ask(b"") == b""
        propagation.configure(["127.0.0.1"])
        told = header_of(transaction).encode()
        assert ask(b"") == ask(b"", None, (("a", "b"),)) == ask(b"", metadata=[("a", "b")]) == told
        assert ask(b"", metadata=[("traceparent", OWN_TRACE)]) == OWN_TRACE.encode()
        with grpc.insecure_channel(f"localhost:{port}") as stranger:
            assert stranger.unary_unary("/shop.Shop/Told")(b"", metadata=iter([("a", "b")])) == b""
    finally:
        propagation.configure(())
        tracing.tracer.end(transaction)


def test_outside_a_transaction_nothing_is_kept(channel: grpc.Channel, sink: list[Any]) -> None:
    assert channel.unary_unary("/shop.Shop/Told")(b"") == b""
    assert sink == []


def test_r12_r43_calls_are_what_they_were() -> None:
    assert_same_and_back(OWNERS, 9)
