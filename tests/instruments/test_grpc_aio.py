"""grpc's asyncio client against a real server of it in this process."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import grpc.aio
import grpc.aio._call
import grpc.aio._channel
import pytest

from apm_agent.config import Config
from apm_agent.model.origin import Origin
from apm_agent.recording.digest import Digest
from apm_agent.tracing import propagation
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current
from apm_agent.tracing.propagation import header_of
from drivers import assert_same_and_back
from grpc_shop import OWN_TRACE, go_on, said_of_streams, shop

SECRET = b"hunter2"
OWNERS = (
    grpc.aio._channel.Channel, grpc.aio._channel.UnaryUnaryMultiCallable, grpc.aio._channel.StreamUnaryMultiCallable,
    grpc.aio._channel.UnaryStreamMultiCallable, grpc.aio._channel.StreamStreamMultiCallable,
    grpc.aio._call._StreamResponseMixin,
)  # fmt: skip


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with shop() as port:
        yield port


@pytest.fixture
async def channel(port: int, instruments: None) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


async def letters() -> AsyncIterator[bytes]:
    for letter in (b"a", b"b", b"c"):
        yield letter


async def test_a_call_is_one_span_and_what_it_was(channel: grpc.aio.Channel, port: int, traced: Any) -> None:
    with traced() as spans:
        here = current.get()
        call = channel.unary_unary("/shop.Shop/Told")(SECRET, metadata=(("token", "hunter2"),))
        assert current.get() is here
        assert type(call) is grpc.aio._call.UnaryUnaryCall
        assert isinstance(call, grpc.aio.UnaryUnaryCall)
        assert inspect.isawaitable(call)
        assert await call == b""
        assert await call.code() == grpc.StatusCode.OK
        assert await call == b""  # again
        assert await channel.stream_unary("/shop.Shop/Join")(letters()) == b"abc"
        writing = channel.stream_unary("/shop.Shop/Join")()
        await writing.write(b"x")
        await writing.done_writing()
        assert await writing == b"x"
    host = f"127.0.0.1:{port}"
    assert [(span.kind, span.name, span.tags, span.parent) for span in spans] == [
        ("http", f"grpc {host}", {"url": f"grpc://{host}/shop.Shop/{method}", "code": "OK"}, None)
        for method in ("Told", "Join", "Join")
    ]
    assert spans[0].place[0].co_name == "test_a_call_is_one_span_and_what_it_was"


async def test_calls_side_by_side_are_siblings(channel: grpc.aio.Channel, traced: Any) -> None:
    ask = channel.unary_unary("/shop.Shop/Told")
    with traced() as spans:
        assert await asyncio.gather(*(ask(b"") for _ in range(5))) == [b""] * 5
    assert [span.parent for span in spans] == [None] * 5
    assert max(span.start_ns for span in spans) < min(span.end_ns for span in spans)


async def test_a_stream_is_the_time_its_messages_were_waited_for(
    channel: grpc.aio.Channel, port: int, traced: Any, sink: list[Any]
) -> None:
    with traced():
        counting = channel.unary_stream("/shop.Shop/Count")(SECRET)
        assert isinstance(counting, grpc.aio.UnaryStreamCall)
        assert [message async for message in counting] == [b"1", b"2"]
        both = channel.stream_stream("/shop.Shop/Each")(letters())
        assert isinstance(both, grpc.aio.StreamStreamCall)
        assert await both.read() == b"A"
        assert [await both.read(), await both.read(), await both.read()] == [b"B", b"C", grpc.aio.EOF]
        assert [message async for message in channel.unary_stream("/shop.Shop/None")(b"")] == []
        with pytest.raises(grpc.aio.AioRpcError):
            await anext(aiter(channel.unary_stream("/shop.Shop/Breaks")(b"")))
    assert said_of_streams(sink[-1], port) == [
        {"messages": 2, "code": "OK"}, {"messages": 3, "code": "OK"}, {"messages": 0, "code": "OK"},
        {"messages": 0, "code": "NOT_FOUND", "error": "AioRpcError"},
    ]  # fmt: skip


async def test_r18_errors_and_cancelling_close_spans_and_pass_through(
    channel: grpc.aio.Channel, traced: Any
) -> None:
    with traced() as spans:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await channel.unary_unary("/shop.Shop/Fail")(SECRET)
        waiting = channel.unary_unary("/shop.Shop/Wait")(b"")
        assert waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert waiting.cancelled()
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary("/shop.Shop/Wait")(b"", timeout=0.05)
        with pytest.raises(TypeError):
            channel.unary_unary("/shop.Shop/Told")(b"", nothing=1)  # type: ignore[call-arg]
    assert failed.value.details() == SECRET.decode()
    assert [(span.tags["error"], span.tags.get("code")) for span in spans] == [
        ("AioRpcError", "NOT_FOUND"), ("CancelledError", "CANCELLED"), ("AioRpcError", "DEADLINE_EXCEEDED"),
        ("TypeError", None),
    ]  # fmt: skip
    assert "hunter2" not in repr([(span.name, span.tags) for span in spans])


async def test_what_an_interceptor_does_is_below_its_call(port: int, instruments: None, traced: Any) -> None:
    class Adds(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
        async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            span = tracing.open_span("code", "token")
            assert span is not None
            tracing.close_span(span)
            return await continuation(details, request)

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=[Adds()]) as channel:
        with traced() as spans:
            assert await channel.unary_unary("/shop.Shop/Told")(b"") == b""
    assert [(span.name, span.parent) for span in spans] == [
        (f"grpc 127.0.0.1:{port}", None),
        ("token", spans[0]),
    ]
    assert spans[0].tags["code"] == "OK"


async def test_a_call_that_outlives_its_transaction_is_kept_open(
    channel: grpc.aio.Channel, sink: list[Any]
) -> None:
    assert tracing.tracer is not None
    transaction = tracing.tracer.begin("web", "GET /")
    waiting = channel.unary_unary("/shop.Shop/Wait")(b"late")
    tracing.tracer.end(transaction)
    go_on.set()
    assert await waiting == b"late"
    go_on.clear()
    (record,) = Digest(Config(), Origin()).digest(sink[-1]).spans
    assert record.open


async def test_only_named_hosts_get_the_trace(channel: grpc.aio.Channel, port: int) -> None:
    assert tracing.tracer is not None
    transaction = tracing.tracer.begin("web", "GET /")
    ask = channel.unary_unary("/shop.Shop/Told")
    try:
        assert await ask(b"") == b""
        propagation.configure(["127.0.0.1"])
        told = header_of(transaction).encode()
        assert await ask(b"") == await ask(b"", metadata=[("a", "b")]) == told
        assert await ask(b"", metadata=grpc.aio.Metadata(("a", "b"))) == told
        assert await ask(b"", metadata=(("traceparent", OWN_TRACE),)) == OWN_TRACE.encode()
        async with grpc.aio.insecure_channel(f"localhost:{port}") as stranger:
            assert await stranger.unary_unary("/shop.Shop/Told")(b"", metadata=(("a", "b"),)) == b""
    finally:
        propagation.configure(())
        tracing.tracer.end(transaction)


async def test_outside_a_transaction_nothing_is_kept(channel: grpc.aio.Channel, sink: list[Any]) -> None:
    assert await channel.unary_unary("/shop.Shop/Told")(b"") == b""
    assert [message async for message in channel.unary_stream("/shop.Shop/Count")(b"")] == [b"1", b"2"]
    assert sink == []


def test_r12_r43_calls_are_what_they_were() -> None:
    assert_same_and_back(OWNERS, 6, inspect.iscoroutinefunction)
