"""Tornado on its own server, with no edit and with the agent installed by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from frameworks import check, write
from servers import PYTHON

pytestmark = pytest.mark.server

SITE = """
import asyncio, os, sys
if os.environ.get("WRAPPED"):
    import apm_agent
    apm_agent.install()
from tornado.web import Application, RequestHandler
import common

class User(RequestHandler):
    def get(self, number):
        self.write(f"user {number}")

class Echo(RequestHandler):
    def post(self):
        self.write(str(len(self.request.body)))

class Stream(RequestHandler):
    async def get(self):
        for part in ("one", "two", "three"):
            self.write(part)
            await self.flush()

class Fail(RequestHandler):
    def get(self):
        common.price()

class Meeting(RequestHandler):
    def initialize(self, count):
        self.count = count
    async def get(self):
        await common.meet_async()
        common.queries(self.count)
        self.write("met")

async def main():
    app = Application([
        (r"/users/(?P<number>\\d+)", User), ("/echo", Echo), ("/stream", Stream), ("/fail", Fail),
        ("/left", Meeting, {"count": 3}), ("/right", Meeting, {"count": 5}),
    ])
    app.listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
"""
TEMPLATE = "/users/<number>"


def command(port: int) -> list[str]:
    return [PYTHON, "site_.py", str(port)]


def test_with_no_edit(tmp_path: Path) -> None:
    check(command, write(tmp_path, SITE), TEMPLATE)


def test_installed_by_hand(tmp_path: Path) -> None:
    check(command, write(tmp_path, SITE), TEMPLATE, watched=False, WRAPPED="1")
