"""A secret sent by each path into a real application is nowhere after: not in the store, an answer, an export."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect as connect_websocket

import apm_agent
import canaries_apart
import canaries_out
import canaries_sql
import daemons
import mongodb
from apm_agent.errors import contained
from canaries import WAYS, World
from evidence import Evidence, answers, asking, files, run, told
from servers import free_port
from upstream import upstream

assert canaries_out
assert canaries_sql
pytestmark = pytest.mark.server


def plain(path: str) -> str:
    """A canary that looks like nothing: only where no value is kept at all it is not found."""
    return "quokka" + "".join(chr(97 + byte % 26) for byte in blake2b(path.encode(), digest_size=14).digest())


def shaped(path: str) -> str:
    """A canary with the shape of a key."""
    return "sk9q" + blake2b(path.encode(), digest_size=12).hexdigest()


class Sent(NamedTuple):
    """A request whose parts carry the canary."""

    name: str
    canary: str
    address: str
    headers: dict[str, str] = {}  # noqa: RUF012
    body: bytes | None = None


def _sent() -> Iterator[Sent]:
    def one(name: str, address: str = "/hello", free: bool = False, body: str = "", **headers: str) -> Sent:
        canary = (shaped if free else plain)(name)
        login = base64.b64encode(f"app:{canary}".encode()).decode()
        given = {key.replace("_", "-"): value.format(c=canary, login=login) for key, value in headers.items()}
        return Sent(name, canary, address.format(c=canary), given, body.format(c=canary).encode() or None)

    yield one("path", "/items/{c}", free=True)
    yield one("path nobody answers", "/nowhere/{c}", free=True)
    yield one("query", "/hello?q={c}&password={c}")
    yield one("query of what fails", "/fails?q={c}")
    yield one("header", X_Customer="{c}", User_Agent="{c}", Referer="http://a.example/{c}")
    yield one("authorization", Authorization="Bearer {c}")
    yield one("basic authorization", Authorization="Basic {login}")
    yield one("cookie", Cookie="sessionid={c}; theme={c}")
    yield one("body", body="password={c}&name={c}")
    yield one("answer", "/echo?q={c}")
    yield one("traceparent", traceparent="00-{c}-{c}-01", tracestate="shop={c}", baggage="user={c}")
    yield one(
        "baggage", traceparent=f"00-{'a' * 32}-{'b' * 16}-01", tracestate="a={c}", baggage="password={c}"
    )
    yield one("forwarded", X_Forwarded_For="{c}", X_Request_Start="t={c}", X_Request_Id="{c}")
    yield one("wish", X_Apm_Profile="{c}")


SENT = list(_sent())
CAPTURED = plain("captured")
WEBSOCKET, WEBSOCKET_PATH = plain("websocket"), shaped("websocket path")
IN_FLIGHT, IN_FLIGHT_PATH = plain("in flight"), shaped("in flight path")
TOKEN, WISH, SETTING = plain("dashboard_token"), plain("cprofile_header"), plain("doctor")
CANARIES = {
    **{way.name: (shaped if way.free else plain)(way.name) for way in WAYS},
    **{sent.name: sent.canary for sent in SENT},
    **{name: plain(name) for name in canaries_apart.WAYS},
    "captured": CAPTURED, "websocket": WEBSOCKET, "websocket path": WEBSOCKET_PATH, "in flight": IN_FLIGHT,
    "in flight path": IN_FLIGHT_PATH, "dashboard_token": TOKEN, "cprofile_header": WISH, "doctor": SETTING,
}  # fmt: skip


class App:
    """The application: a route a way, and some that do nothing with what they are sent."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hangs, self.go_on = threading.Event(), threading.Event()
        ways = [Route(f"/{way.name}", self._runs(way.run, CANARIES[way.name])) for way in WAYS]
        self.app = apm_agent.asgi(
            Starlette(
                routes=[
                    *ways,
                    Route("/hello", self.hello, methods=["GET", "POST"]),
                    Route("/items/{item}", self.hello),
                    Route("/echo", self.echo),
                    Route("/fails", self.fails),
                    Route("/busy", self.busy),
                    Route("/hangs/{item}", self.hang),
                    WebSocketRoute("/live/{room}", self.live),
                ]
            )
        )

    def _runs(self, run: Callable[[str, World], Any], canary: str) -> Callable[[Request], Any]:
        def endpoint(request: Request) -> PlainTextResponse:
            run(canary, self.world)
            return PlainTextResponse("done")

        return endpoint

    async def hello(self, request: Request) -> PlainTextResponse:
        apm_agent.add_context(seen="kangaroo")
        held = (await request.body(), dict(request.headers), request.url)
        return PlainTextResponse(f"hello {len(held)}")

    def echo(self, request: Request) -> PlainTextResponse:
        given = request.query_params["q"]
        return PlainTextResponse(given, headers={"Set-Cookie": f"id={given}", "X-It": given})

    def fails(self, request: Request) -> PlainTextResponse:
        held = request.query_params["q"]
        raise LookupError(f"no price for {held!r}")

    async def busy(self, request: Request) -> PlainTextResponse:
        held, until = request.query_params["q"], time.thread_time() + 0.05
        while time.thread_time() < until:
            held = held[::-1]
        return PlainTextResponse("done")

    def hang(self, request: Request) -> PlainTextResponse:
        held = str(request.url)
        self.hangs.set()
        assert self.go_on.wait(60), held
        return PlainTextResponse("late")

    async def live(self, socket: WebSocket) -> None:
        await socket.accept(headers=[(b"x-it", b"1")])
        await socket.send_text(await socket.receive_text())
        await socket.close()


@contextmanager
def served(app: Any) -> Iterator[int]:
    """The application in uvicorn."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.02)
        yield port
    finally:
        server.should_exit = True
        thread.join()


def get(port: int, address: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{address}", body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        with error:
            error.read()


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory, postgresql: int, mariadb: int) -> Evidence:
    """All that anybody can see after every canary was sent: by what shows it."""
    folder = tmp_path_factory.mktemp("canaries")
    path = folder / "apm.db"
    store = f"sqlite:///{path}"
    found: Evidence = {}
    contained.seen.clear()  # what earlier tests of this process left there on purpose
    with ExitStack() as stack:
        enter = stack.enter_context
        world = World(
            enter(upstream()), postgresql, mariadb, enter(daemons.redis(tmp_path_factory.mktemp("redis"))),
            enter(daemons.memcached()), enter(mongodb.responder()),
        )  # fmt: skip
        apm_agent.install(
            store=store, slow=0, sample_interval="2ms", sampler_budget=1, max_details=10_000,
            dashboard_token=TOKEN, cprofile_header=WISH, flush_interval=0.1,
        )  # fmt: skip
        stack.callback(apm_agent.uninstall)
        app = App(world)
        with served(app.app) as port:
            for way in WAYS:
                get(port, f"/{way.name}")
            for sent in SENT:
                get(port, sent.address, sent.headers, sent.body)
            get(port, "/fails?q=1", {"X-Apm-Profile": WISH})
            found.update(_captured(port, store))
            canaries_apart.send(store, world.redis, CANARIES)
            with connect_websocket(f"ws://127.0.0.1:{port}/live/{WEBSOCKET_PATH}?q={WEBSOCKET}") as socket:
                socket.send(WEBSOCKET)
                assert socket.recv() == WEBSOCKET
            found.update(_in_flight(app, port, path))
        assert apm_agent.flush(20)
        found.update(files(path, "while it runs"))
        found.update(answers(store))
        found.update(told(store, SETTING))
    found.update(files(path, "after it ended"))
    return found


def _captured(port: int, store: str) -> Evidence:
    """What is measured on demand of requests that hold the canary in their locals."""
    assert apm_agent.flush(20)
    said = ""
    with asking(store) as ask:
        for _ in range(5):  # lines are timed of what was sampled before
            get(port, f"/busy?q={CAPTURED}")
        assert apm_agent.flush(20)
        armed = (("/fails", "--cprofile"), ("/fails", "--memory"), ("/busy", "--lines"))
        for done, (path, kind) in enumerate(armed, 1):
            said += run("arm", f"GET {path}", kind, "--store", store)
            deadline = time.monotonic() + 20
            while (kept := ask("traces?range=15m&kept=1&limit=1000").count('"captured"')) < done:
                assert time.monotonic() < deadline, (kind, kept, said)
                get(port, f"{path}?q={CAPTURED}")
                assert apm_agent.flush(20)
        return {"arms": ask("arms?range=15m"), "arm": said}


def _in_flight(app: App, port: int, path: Path) -> Evidence:
    store = f"sqlite:///{path}"
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(get, port, f"/hangs/{IN_FLIGHT_PATH}?q={IN_FLIGHT}", {"X-Key": IN_FLIGHT})
        assert app.hangs.wait(30)
        try:
            shown = {f"dump {form}": run("dump", "--store", store, *form.split()) for form in ("", "--json")}
            shown.update(files(path, "in flight"))
            with asking(store) as ask:
                shown["live"] = ask("live?range=15m")
        finally:
            app.go_on.set()
            hanging.result()
    assert "hang" in shown["dump "], shown["dump "]
    return shown


@pytest.mark.parametrize("path", CANARIES)
def test_r32_a_canary_is_nowhere(path: str, evidence: Evidence) -> None:
    canary = CANARIES[path].lower()
    hits = {
        shown: text[max(0, at - 80) : at + 80]
        for shown, text in evidence.items()
        if (at := text.lower().find(canary)) >= 0
    }
    assert not hits


def test_r32_each_path_was_gone_and_something_of_it_is_kept(evidence: Evidence) -> None:
    known = {row["name"] for row in json.loads(evidence["endpoints"])["endpoints"]}
    assert {f"GET /{way.name}" for way in WAYS} <= known
    assert {
        "GET /items/{item}",
        "GET /hangs/{item}",
        "GET /echo",
        "POST /hello",
        "job_arguments nightly",
        *canaries_apart.KEPT,
    } <= known
    assert "[scrubbed]" in evidence["table traces while it runs"]
    # What is looked through shows what was kept.
    for shown in (
        "table traces while it runs", "table transactions after it ended", "shipped", "shipped by gRPC",
    ):  # fmt: skip
        assert "kangaroo" in evidence[shown]
    assert (
        sum("kangaroo" in text for name, text in evidence.items() if name.startswith("trace "))
        >= len(SENT) // 2
    )
    assert json.loads(evidence["health"])["processes"][0]["contained"] == []
    assert '"contained":[]' in evidence["health"]
