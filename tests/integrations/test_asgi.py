"""ASGI, spoken by hand: what the middleware says to either side, and what it never says."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import Request, TextMessage

from apm_agent.config import Config
from apm_agent.integrations.asgi import APMMiddleware, Middleware
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.blocks import span
from apm_agent.tracing.current import current, current_transaction
from hand import Hand
from servers import ROOT, environment, free_port, running, uvicorn

Seen = list[Transaction]
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


def wrap(app: Callable[..., Any]) -> APMMiddleware:
    return APMMiddleware(app, enabled=False)


class Server:
    """Calls an application; counts what it receives and keeps what it sends."""

    def __init__(self, app: Callable[..., Any], hand: Hand | None = None) -> None:
        self.app, self.hand = app, hand
        self.received = 0
        self.sent: list[Any] = []
        self.breaks_at: int | None = None

    async def receive(self) -> dict[str, Any]:
        self.received += 1
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(self, message: Any) -> None:
        if self.breaks_at == len(self.sent):
            raise BrokenPipeError
        self.sent.append(message)
        if self.hand is not None:
            self.hand.move(10)

    async def call(self, path: str = "/", kind: str = "http", **more: Any) -> dict[str, Any]:
        scope = {"type": kind, "method": "GET", "path": path, "headers": [(b"host", b"here")], **more}
        await self.app(scope, self.receive, self.send)
        return scope


async def plain(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": b"one"})


@pytest.mark.parametrize("kind", ["lifespan", "something.new"])
async def test_a_foreign_scope_passes_untouched(seen: Seen, kind: str) -> None:
    given: list[Any] = []

    async def app(*args: Any) -> None:
        given.extend(args)

    server = Server(app)
    scope = {"type": kind}
    await wrap(app)(scope, server.receive, server.send)
    assert given[0] is scope
    assert scope == {"type": kind}
    assert given[1:] == [server.receive, server.send]
    assert seen == []


async def test_messages_are_the_very_same_objects(seen: Seen) -> None:
    body = {"type": "http.response.body", "body": b"one"}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body)

    server = Server(wrap(app))
    await server.call("/a")
    assert server.sent[0] is START
    assert server.sent[1] is body
    assert [(t.kind, t.name, t.method, t.path, t.status) for t in seen] == [
        ("web", "GET /a", "GET", "/a", 200)
    ]


async def test_r08_receive_is_the_applications(seen: Seen) -> None:
    server = Server(wrap(plain))
    await server.call()
    assert server.received == 0

    async def reader(scope: Any, receive: Any, send: Any) -> None:
        assert receive == server.receive
        await receive()
        await plain(scope, receive, send)

    server = Server(wrap(reader))
    await server.call()
    assert server.received == 1


async def test_r09_it_ends_with_the_last_byte_and_background_work_is_not_part_of_it(
    seen: Seen, hand: Hand
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        hand.move(100)
        await send(START)
        for part in (b"one", b"two"):
            with span("part"):
                hand.move(5)
            await send({"type": "http.response.body", "body": part, "more_body": True})
        assert seen == []
        await send({"type": "http.response.body", "body": b""})
        assert len(seen) == 1
        assert current_transaction() is None
        with span("background"):
            hand.move(1000)
        raise RuntimeError("in the background")

    with pytest.raises(RuntimeError):
        await Server(wrap(app), hand).call()
    [transaction] = seen
    assert transaction.first_byte_ns == 100
    assert transaction.duration_ns == 140
    assert transaction.failure is None
    assert [s.name for s in transaction.spans] == ["part", "part"]


async def test_r09_trailers_come_after_the_last_byte_of_the_body(seen: Seen) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "trailers": True})
        await send({"type": "http.response.body", "body": b"one"})
        assert seen == []
        await send({"type": "http.response.trailers", "headers": []})

    await Server(wrap(app)).call()
    assert len(seen) == 1


async def test_r09_a_file_sent_by_its_path_is_the_last_message(seen: Seen) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.pathsend", "path": "/x"})
        assert len(seen) == 1

    await Server(wrap(app)).call()


async def test_r09_the_client_leaves(seen: Seen) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for _ in range(9):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    server = Server(wrap(app))
    server.breaks_at = 3
    with pytest.raises(BrokenPipeError):
        await server.call()
    [transaction] = seen
    assert transaction.failure is None
    assert transaction.status == 200


async def test_r10_a_cancelled_request_ends(seen: Seen) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        span("left open").__enter__()
        await asyncio.sleep(3600)

    task = asyncio.create_task(Server(wrap(app)).call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [transaction] = seen
    assert transaction.failure is None


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
async def test_r18_whatever_is_raised_passes_untouched(seen: Seen, kind: type[BaseException]) -> None:
    boom = kind("x")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise boom

    caught = None
    try:
        await Server(wrap(app)).call("/a")
    except BaseException as error:
        caught = error
    assert caught is boom
    [transaction] = seen
    assert transaction.failure is not None
    assert (transaction.name, transaction.status, transaction.failure.type) == ("GET /a", 500, kind.__name__)


async def test_an_answer_made_while_the_exception_is_handled_keeps_it(seen: Seen) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            raise KeyError("lost")
        except KeyError:
            await send({**START, "status": 500})
            await send({"type": "http.response.body", "body": b"sorry"})
            raise

    with pytest.raises(KeyError):
        await Server(wrap(app)).call()
    [transaction] = seen
    assert transaction.failure is not None
    assert transaction.failure.type == "KeyError"


async def test_an_exception_that_became_a_good_answer_is_none(seen: Seen) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            raise KeyError("expected")
        except KeyError:
            await plain(scope, receive, send)

    await Server(wrap(app)).call()
    assert seen[0].failure is None


async def test_events_are_a_stream_from_the_first_on(seen: Seen) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [(b"Content-Type", b"text/event-stream; charset=utf-8")]})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        here = current_transaction()
        assert here is not None
        assert here.kind == "stream"
        await send({"type": "http.response.body", "body": b""})

    await Server(wrap(app)).call()
    assert seen[0].kind == "stream"


async def socket(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    for _ in range(scope["messages"]):
        with span("message"):
            await send({"type": "websocket.send", "text": "x"})
    await send({"type": "websocket.close", "code": 1000})


async def test_r11_a_websocket_is_a_kind_of_its_own(seen: Seen) -> None:
    server = Server(wrap(socket))
    await server.call("/chat/7", "websocket", messages=3)
    assert [(t.kind, t.name, t.status, len(t.spans)) for t in seen] == [
        ("websocket", "WS /chat/{id}", 101, 3)
    ]

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 1008})

    await Server(wrap(refuse)).call("/chat", "websocket")
    assert (seen[1].name, seen[1].status) == ("WS 403", 403)


async def test_r11_a_connection_takes_the_same_memory_however_much_it_says(seen: Seen) -> None:
    async def measure(messages: int) -> int:
        server = Server(wrap(socket))
        server.send = _forget  # type: ignore[method-assign]
        gc.collect()  # what other tests left in the interpreter's free lists would be used without being counted
        tracemalloc.start()
        try:
            await server.call("/chat", "websocket", messages=messages)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            seen.clear()

    few, many = await measure(3_000), await measure(60_000)
    assert many < few * 1.2


async def _forget(message: Any) -> None:
    pass


async def test_r20_nothing_of_a_request_is_kept(seen: Seen) -> None:
    class Thing:
        pass

    class Canary(Exception):
        pass

    dead: list[weakref.ref[Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        dead.append(weakref.ref(scope["thing"]))
        if scope["path"] == "/fail":
            error = Canary()
            dead.append(weakref.ref(error))
            try:
                raise error
            finally:
                del error
        await plain(scope, receive, send)

    gc.disable()
    try:
        await Server(wrap(app)).call(thing=Thing())
        try:
            await Server(wrap(app)).call("/fail", thing=Thing())
        except Canary:
            pass
        assert len(seen) == 2
        assert [ref() for ref in dead] == [None] * 3
    finally:
        gc.enable()


async def test_r23_a_task_left_behind_is_no_part_of_it(seen: Seen, hand: Hand) -> None:
    tasks: list[asyncio.Task[None]] = []
    go = asyncio.Event()

    async def later() -> None:
        await go.wait()
        with span("late"):
            hand.move(10)
        await Server(wrap(plain)).call("/from-the-task")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        tasks.append(asyncio.create_task(later()))
        await plain(scope, receive, send)

    await Server(wrap(app)).call("/first")
    go.set()
    await tasks[0]
    assert [(t.name, t.spans) for t in seen] == [("GET /first", []), ("GET /from-the-task", [])]


async def test_r43_two_middlewares_are_one_transaction(seen: Seen) -> None:
    await Server(wrap(wrap(plain))).call()
    assert len(seen) == 1


async def test_r14_the_scope_alone_tells_a_second_middleware(seen: Seen) -> None:
    inner = wrap(plain)

    async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
        current.set(None)  # a thread or task that did not take the context along
        await inner(scope, receive, send)

    await Server(wrap(elsewhere)).call()
    assert len(seen) == 1


async def test_overlapping_requests_keep_apart(seen: Seen) -> None:
    gate = asyncio.Barrier(5) if hasattr(asyncio, "Barrier") else None

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with span(scope["path"]):
            if gate is not None:
                await gate.wait()
            else:
                await asyncio.sleep(0)
        await plain(scope, receive, send)

    wrapped = wrap(app)
    await asyncio.gather(*(Server(wrapped).call(f"/{letter}") for letter in "abcde"))
    assert sorted((t.path, [s.name for s in t.spans]) for t in seen) == [
        (f"/{x}", [f"/{x}"]) for x in "abcde"
    ]


async def test_off_is_not_there(seen: Seen) -> None:
    tracing.tracer = None
    server = Server(wrap(plain))
    scope = await server.call()
    assert "apm_agent.transaction" not in scope
    assert len(server.sent) == 2


async def test_headers_that_can_be_read_only_once_are_left_to_the_application(seen: Seen) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert list(scope["headers"]) == [(b"host", b"here")]
        await plain(scope, receive, send)

    await Server(wrap(app)).call(headers=iter([(b"host", b"here")]))
    assert len(seen) == 1


async def test_the_path_is_without_what_the_server_was_mounted_at(seen: Seen) -> None:
    await Server(wrap(plain)).call("/api/users", root_path="/api")
    await Server(wrap(plain)).call("/users", root_path="/api")
    assert [t.path for t in seen] == ["/users", "/users"]


async def test_a_developer_with_the_secret_asks_for_a_deep_look(seen: Seen) -> None:
    app = Middleware(plain, Config(cprofile_header="s3cret"))
    for sent in (b"s3cret", b"guess"):
        await Server(app).call(headers=[(b"x-apm-profile", sent)])
    assert [t.notes for t in seen] == [{"cprofile": True}, None]


async def test_queue_time_is_read_from_the_proxy(seen: Seen) -> None:
    before = time.time_ns() - 5_000_000
    await Server(wrap(plain)).call(headers=[(b"x-request-start", b"t=%d" % before)])
    await Server(wrap(plain)).call(headers=[(b"x-queue-start", b"\xff\xfe")])
    first, second = (t.queue_ns for t in seen)
    assert first is not None
    assert 5_000_000 <= first < 60_000_000_000
    assert second is None


@pytest.mark.server
async def test_r11_a_websocket_on_a_real_server(tmp_path: Path) -> None:
    (tmp_path / "sockets.py").write_text(SOCKETS)
    port = free_port()
    env = environment(PYTHONPATH=str(ROOT))
    with running(
        uvicorn("sockets:app", port, "--ws", "wsproto", "--app-dir", "."), port=port, env=env, cwd=tmp_path
    ) as program:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        client = WSConnection(ConnectionType.CLIENT)
        writer.write(client.send(Request(host="here", target="/chat/7")))
        said: list[str] = []
        while len(said) < 3:
            client.receive_data(await reader.read(65536))
            said += [event.data for event in client.events() if isinstance(event, TextMessage)]
        assert said == ["0", "1", "2"]
        writer.close()
        await writer.wait_closed()
        program.wait_for_output("websocket WS /chat/{room} 101 ['say', 'say', 'say'] None")


SOCKETS = """
import apm_agent
from apm_agent.tracing import tracer as tracing
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from apm_agent.integrations.starlette import APMMiddleware

async def chat(socket):
    await socket.accept()
    for n in range(3):
        with apm_agent.span("say"):
            await socket.send_text(str(n))
    await socket.receive_text()

app = Starlette(routes=[WebSocketRoute("/chat/{room}", chat)])
app.add_middleware(APMMiddleware, enabled=False)
tracing.tracer = tracing.Tracer(
    sink=lambda t: print(t.kind, t.name, t.status, [s.name for s in t.spans], t.failure, flush=True)
)
"""
