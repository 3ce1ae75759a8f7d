"""Websockets of frameworks with a protocol of their own: a kind of their own, one name, no latency of requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from frameworks import RUN, listen, recorded
from servers import PYTHON, ROOT, environment, free_port, running, script

pytestmark = pytest.mark.server

AIOHTTP = """
import sys
from aiohttp import web

async def live(request):
    answer = web.WebSocketResponse()
    await answer.prepare(request)
    await answer.send_str("hello")
    await answer.close()
    return answer

app = web.Application()
app.add_routes([web.get("/live/{room}", live)])
web.run_app(app, port=int(sys.argv[1]))
"""
TORNADO = """
import asyncio, sys
from tornado.web import Application
from tornado.websocket import WebSocketHandler

class Live(WebSocketHandler):
    async def open(self, room):
        await self.write_message("hello")
        self.close()

async def main():
    Application([(r"/live/(?P<room>\\w+)", Live)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
"""
SANIC = """
from sanic import Sanic
app = Sanic("site")

@app.websocket("/live/<room>")
async def live(request, ws, room):
    await ws.send("hello")
"""
QUART = """
from quart import Quart, websocket
app = Quart(__name__)

@app.websocket("/live/<room>")
async def live(room):
    await websocket.send("hello")
"""
SITES = {
    "aiohttp": (AIOHTTP, [PYTHON, "site_.py", "{port}"], "{room}"),
    "tornado": (TORNADO, [PYTHON, "site_.py", "{port}"], "<room>"),
    "sanic": (
        SANIC,
        [script("sanic"), "site_:app", "--host", "127.0.0.1", "--port", "{port}", "--single-process"],
        "<room:str>",
    ),
    "quart": (QUART, [script("hypercorn"), "--bind", "127.0.0.1:{port}", "site_:app"], "<room>"),
}  # fmt: skip


@pytest.mark.parametrize("framework", SITES)
def test_r11_a_websocket_is_a_kind_of_its_own(framework: str, tmp_path: Path) -> None:
    site, command, room = SITES[framework]
    (tmp_path / "site_.py").write_text(site)
    port = free_port()
    words = [*RUN, *(part.format(port=port) for part in command)]
    env = environment(PYTHONPATH=f"{tmp_path}:{ROOT}")
    with running(words, port=port, env=env, cwd=tmp_path) as program:
        for number in range(2):
            assert b" 101 " in listen(port, f"/live/room{number}").partition(b"\r\n")[0]
        found = recorded(tmp_path / ".apm-agent" / "apm.db", 2)
        assert [(seen.kind, seen.name, seen.status) for seen in found] == [
            ("websocket", f"WS /live/{room}", 101)
        ] * 2, program.output
