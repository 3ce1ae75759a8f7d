"""Falcon, WSGI on gunicorn and ASGI on uvicorn, with no edit and wrapped."""

from __future__ import annotations

from pathlib import Path

import pytest

from frameworks import check, write
from servers import script

pytestmark = pytest.mark.server

SITE = """
import falcon, common

class User:
    def on_get(self, request, response, number):
        response.text = f"user {number}"

class Echo:
    def on_post(self, request, response):
        response.text = str(len(request.bounded_stream.read()))

class Stream:
    def on_get(self, request, response):
        response.stream = (part for part in (b"one", b"two", b"three"))

class Fail:
    def on_get(self, request, response):
        common.price()

class Meeting:
    def __init__(self, count):
        self.count = count
    def on_get(self, request, response):
        common.meet()
        common.queries(self.count)

app = falcon.App()
routes = {
    "/users/{number:int}": User(), "/echo": Echo(), "/stream": Stream(), "/fail": Fail(),
    "/left": Meeting(3), "/right": Meeting(5),
}
for route, resource in routes.items():
    app.add_route(route, resource)
"""
ASYNC = """
import falcon.asgi, common

class User:
    async def on_get(self, request, response, number):
        response.text = f"user {number}"

class Echo:
    async def on_post(self, request, response):
        response.text = str(len(await request.stream.read()))

class Stream:
    async def on_get(self, request, response):
        async def parts():
            for part in (b"one", b"two", b"three"):
                yield part
        response.stream = parts()

class Fail:
    async def on_get(self, request, response):
        common.price()

class Meeting:
    def __init__(self, count):
        self.count = count
    async def on_get(self, request, response):
        await common.meet_async()
        common.queries(self.count)

app = falcon.asgi.App()
routes = {
    "/users/{number:int}": User(), "/echo": Echo(), "/stream": Stream(), "/fail": Fail(),
    "/left": Meeting(3), "/right": Meeting(5),
}
for route, resource in routes.items():
    app.add_route(route, resource)
"""


def gunicorn(app: str, port: int) -> list[str]:
    return [script("gunicorn"), "--threads", "4", "--bind", f"127.0.0.1:{port}", app]


def uvicorn(app: str, port: int) -> list[str]:
    return [script("uvicorn"), "--port", str(port), app]


def test_wsgi_with_no_edit(tmp_path: Path) -> None:
    check(lambda port: gunicorn("site_:app", port), write(tmp_path, SITE), "/users/{number:int}")


def test_asgi_with_no_edit(tmp_path: Path) -> None:
    check(lambda port: uvicorn("site_:app", port), write(tmp_path, ASYNC), "/users/{number:int}")


def test_wrapped(tmp_path: Path) -> None:
    folder = write(tmp_path, SITE)
    template = "/users/{number:int}"
    check(lambda port: gunicorn("wrapped:app", port), folder, template, watched=False, WRAPPED="wsgi")
