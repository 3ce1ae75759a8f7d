"""grpc's servers, synchronous and asyncio, called by a real client of it."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest

from apm_agent.errors import contained
from apm_agent.instruments import patching
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import propagation
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current_transaction
from drivers import assert_same_and_back
from grpc_shop import OWN_TRACE

SECONDS = 30


def get(request: bytes, context: Any) -> bytes:
    transaction = current_transaction()
    assert transaction is not None
    span = tracing.open_span("code", "inner")
    assert span is not None
    tracing.close_span(span)
    return request + str(transaction.name).encode()


def fail(request: bytes, context: Any) -> bytes:
    raise ValueError("no price")


def abort(request: bytes, context: Any) -> bytes:
    context.abort(getattr(grpc.StatusCode, request.decode()), "because")
    raise AssertionError


def coded(request: bytes, context: Any) -> bytes:
    context.set_code(grpc.StatusCode.RESOURCE_EXHAUSTED)
    return b""


def join(requests: Iterator[bytes], context: Any) -> bytes:
    return b"".join(requests)


def count(request: bytes, context: Any) -> Iterator[bytes]:
    for number in range(int(request)):
        assert current_transaction() is not None
        yield str(number).encode()


def breaks(request: bytes, context: Any) -> Iterator[bytes]:
    yield b"one"
    raise ValueError("no more")


def each(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    return map(bytes.upper, requests)


def endless(request: bytes, context: Any) -> Iterator[bytes]:
    while True:
        yield b"."


async def get_async(request: bytes, context: Any) -> bytes:
    await asyncio.sleep(0)
    return get(request, context)


async def fail_async(request: bytes, context: Any) -> bytes:
    await asyncio.sleep(0)
    return fail(request, context)


async def abort_async(request: bytes, context: Any) -> bytes:
    await context.abort(getattr(grpc.StatusCode, request.decode()), "because")
    raise AssertionError


async def coded_async(request: bytes, context: Any) -> bytes:
    return coded(request, context)


async def join_async(requests: AsyncIterator[bytes], context: Any) -> bytes:
    return b"".join([request async for request in requests])


async def count_async(request: bytes, context: Any) -> AsyncIterator[bytes]:
    for message in count(request, context):
        await asyncio.sleep(0)
        yield message


async def breaks_async(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield b"one"
    raise ValueError("no more")


async def each_async(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request.upper()


async def endless_async(request: bytes, context: Any) -> AsyncIterator[bytes]:
    while True:
        yield b"."


async def writes(request: bytes, context: Any) -> None:
    await context.write(b"one")
    await context.write(b"two")


METHODS: dict[str, tuple[str, Callable[..., Any], Callable[..., Any]]] = {
    "Get": ("unary_unary", get, get_async),
    "Fail": ("unary_unary", fail, fail_async),
    "Abort": ("unary_unary", abort, abort_async),
    "Coded": ("unary_unary", coded, coded_async),
    "Join": ("stream_unary", join, join_async),
    "Count": ("unary_stream", count, count_async),
    "Breaks": ("unary_stream", breaks, breaks_async),
    "Each": ("stream_stream", each, each_async),
    "Endless": ("unary_stream", endless, endless_async),
    # Of another kind than their server: plain methods under asyncio, and one that writes its answers itself.
    "Plain": ("unary_unary", get, get),
    "PlainCount": ("unary_stream", count, count),
    "Writes": ("unary_stream", lambda request, context: iter([b"one", b"two"]), writes),
}


def handlers(is_async: bool) -> Any:
    return grpc.method_handlers_generic_handler(
        "shop.Shop",
        {
            name: getattr(grpc, f"{arity}_rpc_method_handler")(asynchronous if is_async else plain)
            for name, (arity, plain, asynchronous) in METHODS.items()
        },
    )


@contextmanager
def served() -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(4), handlers=[handlers(False)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@contextmanager
def served_by_asyncio() -> Iterator[int]:
    ports: list[int] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def main() -> None:
        server = grpc.aio.server(ThreadPoolExecutor(2), handlers=[handlers(True)])
        ports.append(server.add_insecure_port("127.0.0.1:0"))
        await server.start()
        loops.append(asyncio.get_running_loop())
        ready.set()
        await stop.wait()
        await server.stop(None)

    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(SECONDS)
    try:
        yield ports[0]
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(SECONDS)
        assert not thread.is_alive()


class Shop(NamedTuple):
    """A client of a server, and what that recorded."""

    channel: grpc.Channel
    seen: list[Transaction]
    is_async: bool

    def ask(self, method: str, request: Any = b"", **given: Any) -> Any:
        arity = METHODS[method][0] if method in METHODS else "unary_unary"
        return getattr(self.channel, arity)(f"/shop.Shop/{method}")(request, timeout=SECONDS, **given)

    def refused(self, method: str, request: Any = b"") -> str:
        with pytest.raises(grpc.RpcError) as failed:
            list(self.ask(method, request))
        return str(failed.value.code().name)  # type: ignore[attr-defined]

    def recorded(self) -> Transaction:
        """Of the last call; a client may have its answer before the server is done with it."""
        pause = threading.Event()
        for _ in range(SECONDS * 100):
            if self.seen:
                break
            pause.wait(0.01)
        (one,) = self.seen
        return one

    def last(self) -> tuple[Any, ...]:
        one = self.recorded()
        self.seen.clear()
        assert one.method == "GRPC"
        return one.kind, one.name, one.status, one.context


@pytest.fixture(params=["sync", "asyncio"])
def shop(request: pytest.FixtureRequest, seen: list[Transaction]) -> Iterator[Shop]:
    contained.seen.clear()
    patching.apply(["grpc", "grpc_aio"])
    try:
        with (
            served() if request.param == "sync" else served_by_asyncio() as port,
            grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            yield Shop(channel, seen, request.param == "asyncio")
    finally:
        patching.remove()
    assert not contained.seen


def test_a_call_is_a_transaction_named_by_its_method(shop: Shop) -> None:
    for method in ("Get", "Plain"):
        name = f"GRPC /shop.Shop/{method}"
        assert shop.ask(method, b"name: ") == f"name: {name}".encode()
        assert [span.name for span in shop.recorded().spans] == ["inner"]
        assert shop.recorded().path == f"/shop.Shop/{method}"
        view = f"{__name__}:{'get_async' if shop.is_async and method == 'Get' else 'get'}"
        assert shop.recorded().view == view
        assert shop.last() == ("web", name, 200, None)
    assert shop.ask("Join", iter([b"a", b"b"])) == b"ab"
    assert shop.last() == ("web", "GRPC /shop.Shop/Join", 200, None)


def test_streams_are_apart_and_count_their_messages(shop: Shop) -> None:
    for method in ("Count", "PlainCount"):
        assert list(shop.ask(method, b"3")) == [b"0", b"1", b"2"]
        assert shop.recorded().first_byte_ns is not None
        assert shop.last() == ("stream", f"GRPC /shop.Shop/{method}", 200, {"messages": 3})
    assert list(shop.ask("Each", iter([b"a", b"b"]))) == [b"A", b"B"]
    assert shop.last() == ("stream", "GRPC /shop.Shop/Each", 200, {"messages": 2})
    assert list(shop.ask("Writes")) == [b"one", b"two"]
    kind, name, status, _ = shop.last()
    assert (kind, name, status) == ("stream", "GRPC /shop.Shop/Writes", 200)


def test_r18_an_exception_is_the_failure_with_its_own_line(shop: Shop) -> None:
    assert shop.refused("Fail") == "UNKNOWN"
    failure = shop.recorded().failure
    assert failure is not None
    assert (failure.type, failure.message) == ("ValueError", "no price")
    assert failure.place is not None
    assert failure.place[0].co_name == "fail"
    assert shop.last() == ("web", "GRPC /shop.Shop/Fail", 500, {"grpc": "UNKNOWN"})
    assert shop.refused("Breaks") == "UNKNOWN"
    failure = shop.recorded().failure
    assert failure is not None
    assert failure.message == "no more"
    assert shop.last() == ("stream", "GRPC /shop.Shop/Breaks", 500, {"grpc": "UNKNOWN", "messages": 1})


def test_what_is_aborted_fails_where_its_code_says_so(shop: Shop) -> None:
    for code, status in (("NOT_FOUND", 404), ("PERMISSION_DENIED", 403), ("UNAVAILABLE", 503)):
        assert shop.refused("Abort", code.encode()) == code
        failure = shop.recorded().failure
        if status < 500:
            assert failure is None
        else:
            assert failure is not None
            assert (failure.type, failure.message) == (f"grpc.StatusCode.{code}", "because")
            assert failure.place is not None
            assert failure.place[0].co_name == ("abort_async" if shop.is_async else "abort")
        assert shop.last() == ("web", "GRPC /shop.Shop/Abort", status, {"grpc": code})
    assert shop.refused("Coded") == "RESOURCE_EXHAUSTED"
    assert shop.last() == ("web", "GRPC /shop.Shop/Coded", 429, {"grpc": "RESOURCE_EXHAUSTED"})


def test_r31_what_no_method_answers_has_one_name(shop: Shop) -> None:
    for made_up in ("Nothing", "Else"):
        assert shop.refused(made_up) == "UNIMPLEMENTED"
        assert shop.last() == ("web", "GRPC 404", 404, None)


def test_a_client_that_goes_is_no_failure(shop: Shop) -> None:
    endless = shop.ask("Endless")
    assert next(endless) == b"."
    endless.cancel()
    assert shop.recorded().failure is None
    kind, _, status, context = shop.last()
    assert (kind, status, context["grpc"]) == ("stream", 499, "CANCELLED")


def test_the_callers_trace_goes_on(shop: Shop) -> None:
    shop.ask("Get", metadata=(("traceparent", OWN_TRACE),))
    trace = propagation.read(OWN_TRACE)
    assert trace is not None
    notes = shop.recorded().notes
    assert notes is not None
    assert notes["trace"] == trace


def test_the_applications_interceptors_stay_and_are_part_of_it(seen: list[Transaction]) -> None:
    class Adds(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            handler = continuation(details)
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: handler.unary_unary(b"added ", context)
            )

    patching.apply(["grpc", "grpc_aio"])
    try:
        server = grpc.server(ThreadPoolExecutor(1), [handlers(False)], [Adds()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            ask = channel.unary_unary("/shop.Shop/Get")
            assert ask(b"", timeout=SECONDS) == b"added GRPC /shop.Shop/Get"
            assert len(seen) == 1
            patching.remove()
            tracing.tracer = None  # the agent is off, the server goes on
            with pytest.raises(grpc.RpcError):  # its method wants a transaction
                ask(b"", timeout=SECONDS)
            assert channel.stream_unary("/shop.Shop/Join")
        assert len(seen) == 1
        server.stop(None).wait()
    finally:
        patching.remove()


def test_r12_r43_functions_are_what_they_were() -> None:
    assert_same_and_back((grpc, grpc.aio._server), 2)
    assert inspect.signature(grpc.aio.server) == inspect.signature(grpc.aio._server.server)
