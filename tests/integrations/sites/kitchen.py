"""A WSGI, a Flask, a Starlette and a FastAPI application that answer in every way there is."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

from fastapi import FastAPI
from flask import Flask, Response, make_response, redirect, request, send_file
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from starlette.routing import Mount, Route

import apm_agent
from apm_agent.integrations import asgi as asgi_integration
from apm_agent.integrations import flask as flask_integration

WATCHED = os.environ.get("SITE_WATCHED") == "1"
TEXT = [("Content-Type", "text/plain")]


class Closing:
    def __init__(self, parts: list[bytes]) -> None:
        self.parts = iter(parts)

    def __iter__(self) -> Iterator[bytes]:
        return self.parts

    def close(self) -> None: ...


def wsgi(environ: dict[str, Any], start_response: Any) -> Any:  # noqa: PLR0912
    path = environ["PATH_INFO"]
    if path == "/list":
        start_response("200 OK", TEXT)
        return [b"one"]
    if path == "/generator":
        start_response("200 OK", TEXT)
        return (part for part in (b"one", b"", b"two"))
    if path == "/length":
        start_response("200 OK", [*TEXT, ("Content-Length", "6")])
        return Closing([b"one", b"two"])
    if path == "/write":
        start_response("200 OK", TEXT)(b"written")
        return [b"returned"]
    if path == "/file":
        start_response("200 OK", [*TEXT, ("Content-Length", str(os.path.getsize(__file__)))])
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    if path == "/upload":
        size = 0
        while part := environ["wsgi.input"].read(65536):
            size += len(part)
        start_response("200 OK", TEXT)
        return [str(size).encode()]
    if path == "/caught":
        try:
            raise ValueError("caught")
        except ValueError:
            start_response("500 Caught", TEXT, sys.exc_info())
        return [b"caught"]
    if path == "/late":
        return late(start_response)
    if path == "/fail":
        raise ValueError("fail")
    if path == "/middle":
        start_response("200 OK", TEXT)
        return middle()
    if path == "/empty":
        start_response("204 No Content", [])
        return []
    if path == "/cookies":
        start_response("302 Found", [("Location", "/list"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return [b""]
    start_response("304 Not Modified", [("ETag", '"x"')])
    return []


def late(start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", TEXT)
    yield b"late"


def middle() -> Iterator[bytes]:
    yield b"one"
    raise ValueError("middle")


flasks = Flask("kitchen")
flasks.logger.setLevel(logging.CRITICAL)


@flasks.get("/plain/")
def plain() -> Response:
    response = make_response("plain")
    response.set_cookie("a", "1")
    response.add_etag()
    return response.make_conditional(request)


@flasks.get("/stream")
def stream() -> Response:
    return Response((b"part %d\n" % n for n in range(5)), mimetype="text/event-stream")


@flasks.get("/file")
def file() -> Response:
    return send_file(__file__)


@flasks.get("/fail")
def fail() -> str:
    raise ValueError("fail")


@flasks.get("/away")
def away() -> Any:
    return redirect("/plain/")


async def parts() -> AsyncIterator[bytes]:
    for n in range(5):
        yield b"part %d\n" % n


async def afterwards() -> None: ...


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def failing(request: Request) -> PlainTextResponse:
    raise ValueError("fail")


async def headers(request: Request) -> PlainTextResponse:
    response = PlainTextResponse("h", headers={"X-One": "1"}, background=BackgroundTask(afterwards))
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


starlettes: Any = Starlette(
    routes=[
        Route("/headers", headers),
        Route("/echo", echo, methods=["POST"]),
        Route("/stream", lambda request: StreamingResponse(parts())),
        Route("/file", lambda request: FileResponse(__file__)),
        Route("/fail", failing),
        Route("/away", lambda request: RedirectResponse("/headers")),
        Mount("/below", routes=[Route("/{x}", headers)]),
    ]
)
fastapis = FastAPI(openapi_url=None)


@fastapis.get("/items/{id}")
def item(id: int) -> dict[str, int]:
    return {"id": id}


@fastapis.get("/fail")
async def fastapi_fail() -> None:
    raise ValueError("fail")


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """What answers when no framework does; and the life of the process."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/silent":
        return
    if scope["path"] == "/fail":
        raise ValueError("fail")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    if scope["path"] == "/middle":
        raise ValueError("middle")
    await send({"type": "http.response.body", "body": b"two"})


if WATCHED:
    wsgi = apm_agent.wsgi(wsgi)  # type: ignore[assignment]
    flask_integration.init_app(flasks)
    starlettes.add_middleware(asgi_integration.APMMiddleware)
    fastapis.add_middleware(asgi_integration.APMMiddleware)
    asgi = apm_agent.asgi(asgi)  # type: ignore[assignment]
