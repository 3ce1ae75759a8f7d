"""Sanic on its own server and under ASGI, with no edit and wrapped."""

from __future__ import annotations

from pathlib import Path

import pytest

from frameworks import check, write
from servers import script

pytestmark = pytest.mark.server

SITE = """
from sanic import Sanic, text
import common

app = Sanic("site")

@app.get("/users/<number:int>")
async def user(request, number):
    return text(f"user {number}")

@app.post("/echo")
async def echo(request):
    return text(str(len(request.body)))

@app.get("/stream")
async def stream(request):
    response = await request.respond(content_type="text/plain")
    for part in ("one", "two", "three"):
        await response.send(part)
    await response.eof()

@app.get("/fail")
async def fail(request):
    common.price()

@app.get("/left")
async def left(request):
    await common.meet_async()
    common.queries(3)
    return text("left")

@app.get("/right")
async def right(request):
    await common.meet_async()
    common.queries(5)
    return text("right")
"""
TEMPLATE = "/users/<number:int>"


def own(port: int) -> list[str]:
    return [script("sanic"), "site_:app", "--host", "127.0.0.1", "--port", str(port), "--single-process"]


def test_its_own_server_with_no_edit(tmp_path: Path) -> None:
    check(own, write(tmp_path, SITE), TEMPLATE)


def test_under_asgi_with_no_edit(tmp_path: Path) -> None:
    check(lambda port: [script("uvicorn"), "--port", str(port), "site_:app"], write(tmp_path, SITE), TEMPLATE)


def test_under_asgi_wrapped(tmp_path: Path) -> None:
    folder = write(tmp_path, SITE)

    def command(port: int) -> list[str]:
        return [script("uvicorn"), "--port", str(port), "wrapped:app"]

    check(command, folder, TEMPLATE, watched=False, WRAPPED="asgi")
