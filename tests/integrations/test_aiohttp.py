"""aiohttp's server, by itself and under gunicorn, with no edit and with the agent installed by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from frameworks import check, write
from servers import PYTHON, script

pytestmark = pytest.mark.server

SITE = """
import os
if os.environ.get("WRAPPED"):
    import apm_agent
    apm_agent.install()
from aiohttp import web
import common

async def user(request):
    return web.Response(text=f"user {request.match_info['number']}")

async def echo(request):
    return web.Response(text=str(len(await request.read())))

async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for part in (b"one", b"two", b"three"):
        await response.write(part)
    return response

async def fail(request):
    common.price()

async def left(request):
    await common.meet_async()
    common.queries(3)
    return web.Response(text="left")

async def right(request):
    await common.meet_async()
    common.queries(5)
    return web.Response(text="right")

async def moved(request):
    raise web.HTTPFound("/users/7")

app = web.Application()
app.add_routes([
    web.get(r"/users/{number:\\d+}", user), web.post("/echo", echo), web.get("/stream", stream),
    web.get("/fail", fail), web.get("/left", left), web.get("/right", right), web.get("/moved", moved),
])
"""
OWN = "import sys\nfrom aiohttp import web\nfrom site_ import app\nweb.run_app(app, port=int(sys.argv[1]))\n"
TEMPLATE = "/users/{number}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(OWN)
    return write(tmp_path, SITE)


def test_its_own_server_with_no_edit(folder: Path) -> None:
    check(lambda port: [PYTHON, "own.py", str(port)], folder, TEMPLATE)


def test_its_own_server_installed_by_hand(folder: Path) -> None:
    check(lambda port: [PYTHON, "own.py", str(port)], folder, TEMPLATE, watched=False, WRAPPED="1")


def test_on_gunicorn_with_no_edit(folder: Path) -> None:
    def command(port: int) -> list[str]:
        kind = ("--worker-class", "aiohttp.GunicornWebWorker")
        return [script("gunicorn"), *kind, "--bind", f"127.0.0.1:{port}", "site_:app"]

    check(command, folder, TEMPLATE)
