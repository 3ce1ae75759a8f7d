"""Requests no server would make, through both middlewares: the application is asked and answers as without us."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apm_agent.clock import Clock
from apm_agent.config import Config
from apm_agent.integrations.asgi import Middleware as Asgi
from apm_agent.integrations.wsgi import Middleware as Wsgi
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current
from apm_agent.tracing.tracer import Tracer
from hand import Hand

CONFIG = Config(dashboard_path="/apm", cprofile_header="secret")
NAMES = (
    "PATH_INFO", "SCRIPT_NAME", "REQUEST_METHOD", "QUERY_STRING", "HTTP_HOST", "HTTP_COOKIE", "HTTP_TRACEPARENT",
    "HTTP_TRACESTATE", "HTTP_BAGGAGE", "HTTP_X_REQUEST_START", "HTTP_X_QUEUE_START", "HTTP_X_APM_PROFILE",
    "CONTENT_LENGTH", "CONTENT_TYPE", "REMOTE_ADDR", "SERVER_PROTOCOL", "wsgi.file_wrapper", "asgi.scope",
)  # fmt: skip
TEXT = st.one_of(
    st.text(max_size=40),
    st.sampled_from([
        "/", "", "//", "/apm-no", "GET", "\x00", "/\ud800", "/%ff", "/é" * 200, "t=1", "t=9" * 20, "1e9", "-1",
        "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-00", "k=v; k=v", "secret",
    ]),
)  # fmt: skip
ANY = st.one_of(
    TEXT, st.none(), st.integers(), st.binary(max_size=20), st.lists(TEXT, max_size=2),
    st.dictionaries(TEXT, TEXT, max_size=2), st.booleans(), st.floats(),
)  # fmt: skip
STATUS = st.one_of(st.sampled_from(["200 OK", "404 Not Found", "500 X", "", "abc", "9" * 50]), ANY)
HEADERS = st.one_of(st.lists(st.tuples(TEXT, TEXT), max_size=3), st.lists(ANY, max_size=2), ANY)
BODY = st.lists(st.binary(max_size=20), max_size=3)
KINDS = st.sampled_from(["list", "tuple", "generator", "iterator", "raises", "raises late"])


class Broken(Exception):
    """The application's own."""


@contextmanager
def watched() -> Iterator[list[Transaction]]:
    """A tracer that keeps what ended; afterwards all is over and nothing is current."""
    ended: list[Transaction] = []
    before, tracing.tracer = tracing.tracer, Tracer(sink=ended.append, clock=Clock(monotonic=Hand()))
    try:
        yield ended
        assert current.get() is None
        assert all(each.ended for each in ended)
    finally:
        tracing.tracer = before
        current.set(None)


def serve(app: Any, environ: dict[str, Any]) -> list[Any]:
    """All that a WSGI server is told, in order."""
    said: list[Any] = []

    def start_response(status: Any, headers: Any, exc_info: Any = None) -> Any:
        said.append(("start", status, headers))
        return said.append

    try:
        body = app(environ, start_response)
        try:
            said.extend(("part", part) for part in body)
        finally:
            if hasattr(body, "close"):
                body.close()
    except Broken as error:
        said.append(("error", str(error)))
    return said


@settings(max_examples=120, deadline=None)
@given(
    environ=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=10), ANY, max_size=8),
    status=STATUS, headers=HEADERS, body=BODY, kind=KINDS,
)  # fmt: skip
def test_no_environ_changes_what_a_wsgi_application_answers(
    environ: dict[str, Any], status: Any, headers: Any, body: list[bytes], kind: str
) -> None:
    asked: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        asked.append({name: value for name, value in environ.items() if name != "apm_agent.transaction"})
        if kind == "raises":
            raise Broken("early")
        start_response(status, headers)
        if kind in ("list", "tuple"):
            return list(body) if kind == "list" else tuple(body)
        if kind == "raises late":
            return late()
        return iter(body) if kind == "iterator" else (part for part in body)

    def late() -> Iterator[bytes]:
        yield from body
        raise Broken("late")

    bare = serve(app, dict(environ))
    with watched() as ended:
        assert repr(serve(Wsgi(app, CONFIG), dict(environ))) == repr(bare)
    assert repr(asked[0]) == repr(asked[1])
    assert len(ended) == 1


SCOPE = st.fixed_dictionaries(
    {"type": st.sampled_from(["http", "http", "http", "websocket", "lifespan", "x"])},
    optional={
        "path": ANY, "raw_path": ANY, "root_path": ANY, "method": ANY, "query_string": ANY, "scheme": ANY,
        "headers": st.one_of(
            st.lists(
                st.tuples(
                    st.sampled_from([b"traceparent", b"x-request-start", b"x-apm-profile", b"cookie", b"host"]),
                    st.one_of(st.binary(max_size=60), TEXT.map(lambda text: text.encode("utf-8", "replace"))),
                ),
                max_size=4,
            ),
            st.lists(ANY, max_size=3), ANY,
        ),
        "client": ANY, "server": ANY, "state": ANY, "extensions": ANY, "app": ANY, "route": ANY, "endpoint": ANY,
        "path_params": ANY, "app_root_path": ANY,
    },
)  # fmt: skip
MESSAGES = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("http.response.start")},
            optional={"status": ANY, "headers": HEADERS, "trailers": ANY},
        ),
        st.fixed_dictionaries(
            {"type": st.just("http.response.body")}, optional={"body": ANY, "more_body": st.booleans()}
        ),
        st.fixed_dictionaries({"type": st.sampled_from(["websocket.accept", "websocket.close", "x"])}),
    ),
    max_size=4,
)


@settings(max_examples=120, deadline=None)
@given(scope=SCOPE, messages=MESSAGES, fails=st.booleans())
def test_no_scope_changes_what_an_asgi_application_sends(
    scope: dict[str, Any], messages: list[dict[str, Any]], fails: bool
) -> None:
    asked: list[dict[str, Any]] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        asked.append({name: value for name, value in scope.items() if name != "apm_agent.transaction"})
        for message in messages:
            await send(message)
        if fails:
            raise Broken("late")

    async def serve(app: Any) -> list[Any]:
        said: list[Any] = []

        async def receive() -> None:
            return None

        async def send(message: Any) -> None:
            said.append(message)

        try:
            await app(dict(scope), receive, send)
        except Broken as error:
            said.append(str(error))
        return said

    bare = asyncio.run(serve(app))
    with watched() as ended:
        assert repr(asyncio.run(serve(Asgi(app, CONFIG)))) == repr(bare)
    assert repr(asked[0]) == repr(asked[1])
    assert len(ended) == (scope["type"] in ("http", "websocket"))
