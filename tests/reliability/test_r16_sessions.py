"""R16: sessions and users that only a look from outside would load: the answers' headers, byte by byte."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from frameworks import visit, write
from servers import gunicorn, uvicorn

pytestmark = pytest.mark.server

FLASK = """
from flask import Flask, g, session
from werkzeug.local import LocalProxy

app = Flask(__name__)
app.secret_key = "x"
user = LocalProxy(lambda: session.get("user"))  # as Flask-Login has it

@app.get("/untouched")
def untouched():
    return "untouched"

@app.get("/read")
def read():
    return f"user {user}"

@app.get("/missing")
def missing():
    raise LookupError("no such user")
"""
STARLETTE = """
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

class Backend(AuthenticationBackend):
    async def authenticate(self, connection):
        if connection.url.path != "/untouched":
            return AuthCredentials(), SimpleUser(connection.session.get("user", "nobody"))

async def untouched(request):
    return PlainTextResponse("untouched")

async def read(request):
    return PlainTextResponse(f"user {request.user.username} {request.session}")

async def missing(request):
    raise LookupError("no such user")

app = Starlette(
    routes=[Route("/untouched", untouched), Route("/read", read), Route("/missing", missing)],
    middleware=[
        Middleware(SessionMiddleware, secret_key="x"), Middleware(AuthenticationMiddleware, backend=Backend()),
    ],
)
"""
ASKED = [("GET", path, b"") for path in ("/untouched", "/read", "/untouched", "/missing")]


@pytest.mark.parametrize(
    ("site", "server", "says_what_it_read"),
    [(FLASK, gunicorn, True), (STARLETTE, uvicorn, False)],
    ids=["flask", "starlette"],
)
def test_r16_no_session_is_read_that_the_application_leaves(
    tmp_path: Path, site: str, server: object, says_what_it_read: bool
) -> None:
    folder = write(tmp_path, site)
    bare, _ = visit(lambda port: server("site_:app", port), folder, ASKED, (), watched=False)  # type: ignore[operator]
    watched, found = visit(lambda port: server("site_:app", port), folder, ASKED, ())  # type: ignore[operator]
    assert watched == bare
    assert [seen.status for seen in found] == [200, 200, 200, 500]
    varies = [bool(re.search(rb"(?mi)^vary: .*cookie", answer)) for answer in bare]
    assert not varies[0]
    if says_what_it_read:  # so that the first would say it too
        assert varies[1]
