"""grpc's synchronous client against a real server of it in this process."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import grpc
import grpc._channel
import grpc.experimental
import pytest

from apm_agent.config import Config
from apm_agent.instruments import patching
from apm_agent.model.origin import Origin
from apm_agent.recording.digest import Digest
from apm_agent.tracing import propagation
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.propagation import header_of
from grpc_shop import shop
from servers import free_port

SECRET = b"hunter2"
OWNERS = [
    *(
        (owner, name)
        for owner in (grpc._channel._UnaryUnaryMultiCallable, grpc._channel._StreamUnaryMultiCallable)
        for name in ("__call__", "with_call")
    ),
    (grpc._channel._UnaryStreamMultiCallable, "__call__"),
    (grpc._channel._SingleThreadedUnaryStreamMultiCallable, "__call__"),
    (grpc._channel._StreamStreamMultiCallable, "__call__"),
    (grpc._channel._MultiThreadedRendezvous, "_next"),
    (grpc._channel._SingleThreadedRendezvous, "_next"),
]


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
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel, traced() as spans:
        counting = channel.unary_stream("/shop.Shop/Count")(SECRET)
        assert isinstance(counting, grpc.RpcError)
        assert [*counting] == [b"1", b"2"]
        assert [*channel.stream_stream("/shop.Shop/Each")(iter([b"a", b"b", b"c"]))] == [b"A", b"B", b"C"]
        assert next(channel.unary_stream("/shop.Shop/Count")(b"")) == b"1"  # the rest is not waited for
        assert [*channel.unary_stream("/shop.Shop/None")(b"")] == []
        with pytest.raises(grpc.RpcError):
            next(channel.unary_stream("/shop.Shop/Breaks")(b""))
    records = Digest(Config(), Origin()).digest(sink[-1]).spans
    said = [(record.tags or {}).copy() for record in records]
    for record, tags, span in zip(records, said, spans, strict=True):
        assert record.duration_ns == span.end_ns - span.start_ns + span.fetched.ns
        assert tags.pop("url").startswith(f"grpc://127.0.0.1:{port}/shop.Shop/")
        if "first_message_ns" in tags:
            assert 0 < tags.pop("first_message_ns") <= record.duration_ns
    broken = {"messages": 0, "code": "NOT_FOUND", "error": type(counting).__name__}
    ended = {"code": "OK"}
    assert said == [
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
