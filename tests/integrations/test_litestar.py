"""Litestar on uvicorn and granian, with no edit and wrapped."""

from __future__ import annotations

from pathlib import Path

import pytest
from litestar import Litestar, Router, get

from apm_agent.integrations.route_search import in_litestar, route_of
from frameworks import check, write
from servers import script

pytestmark = pytest.mark.server

SITE = """
from litestar import Litestar, MediaType, Request, get, post
from litestar.response import Stream
import common

@get("/users/{number:int}", media_type=MediaType.TEXT)
async def user(number: int) -> str:
    return f"user {number}"

@post("/echo", media_type=MediaType.TEXT, status_code=200)
async def echo(request: Request) -> str:
    return str(len(await request.body()))

@get("/stream")
async def stream() -> Stream:
    async def parts():
        for part in ("one", "two", "three"):
            yield part
    return Stream(parts())

@get("/fail")
async def fail() -> None:
    common.price()

@get("/left")
async def left() -> str:
    await common.meet_async()
    common.queries(3)
    return "left"

@get("/right")
async def right() -> str:
    await common.meet_async()
    common.queries(5)
    return "right"

app = Litestar([user, echo, stream, fail, left, right])
"""
TEMPLATE = "/users/{number}"


def uvicorn(app: str, port: int) -> list[str]:
    return [script("uvicorn"), "--port", str(port), app]


def granian(app: str, port: int) -> list[str]:
    return [script("granian"), "--interface", "asgi", "--port", str(port), app]


def test_on_uvicorn_with_no_edit(tmp_path: Path) -> None:
    check(lambda port: uvicorn("site_:app", port), write(tmp_path, SITE), TEMPLATE)


def test_on_granian_with_no_edit(tmp_path: Path) -> None:
    check(lambda port: granian("site_:app", port), write(tmp_path, SITE), TEMPLATE)


def test_on_uvicorn_wrapped(tmp_path: Path) -> None:
    folder = write(tmp_path, SITE)
    check(lambda port: uvicorn("wrapped:app", port), folder, TEMPLATE, watched=False, WRAPPED="asgi")


def test_of_versions_that_leave_no_template_it_is_found_by_handler_and_parameters() -> None:
    @get("/users/{number:int}")
    async def user() -> str:
        return ""

    app = Litestar([user, Router("/shops/{shop:str}", route_handlers=[user])], openapi_config=None)
    found = {
        (route_of(app, handler, names, in_litestar).template, tuple(names))
        for route in app.routes
        for handler in route.route_handlers  # type: ignore[attr-defined]
        for names in (["number"], ["shop", "number"])
        if set(names) == set(route.path_parameters)
    }
    assert found == {("/users/{number}", ("number",)), ("/shops/{shop}/users/{number}", ("shop", "number"))}
    assert route_of(app, object(), [], in_litestar).template == ""
