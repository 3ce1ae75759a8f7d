"""Quart on Hypercorn and on its own server, with no edit and wrapped."""

from __future__ import annotations

from pathlib import Path

import pytest

from frameworks import check, write
from servers import script

pytestmark = pytest.mark.server

SITE = """
from quart import Quart, request
import common

app = Quart(__name__)

@app.get("/users/<int:number>")
async def user(number):
    return f"user {number}"

@app.post("/echo")
async def echo():
    return str(len(await request.get_data()))

@app.get("/stream")
async def stream():
    async def parts():
        for part in ("one", "two", "three"):
            yield part
    return parts()

@app.get("/fail")
async def fail():
    common.price()

@app.get("/left")
async def left():
    await common.meet_async()
    common.queries(3)
    return "left"

@app.get("/right")
async def right():
    await common.meet_async()
    common.queries(5)
    return "right"
"""
TEMPLATE = "/users/<int:number>"


def hypercorn(app: str, port: int) -> list[str]:
    return [script("hypercorn"), "--bind", f"127.0.0.1:{port}", app]


def test_on_hypercorn_with_no_edit(tmp_path: Path) -> None:
    check(lambda port: hypercorn("site_:app", port), write(tmp_path, SITE), TEMPLATE)


def test_on_hypercorn_wrapped(tmp_path: Path) -> None:
    folder = write(tmp_path, SITE)
    check(lambda port: hypercorn("wrapped:app", port), folder, TEMPLATE, watched=False, WRAPPED="asgi")


def test_its_own_server_with_no_edit(tmp_path: Path) -> None:
    def command(port: int) -> list[str]:
        return [script("quart"), "--app", "site_:app", "run", "--port", str(port)]

    check(command, write(tmp_path, SITE), TEMPLATE)
