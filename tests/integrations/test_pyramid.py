"""Pyramid on waitress, with no edit and wrapped."""

from __future__ import annotations

from pathlib import Path

import pytest

from frameworks import check, write
from servers import script

pytestmark = pytest.mark.server

SITE = """
from pyramid.config import Configurator
from pyramid.response import Response
import common

def user(request):
    return Response(f"user {request.matchdict['number']}")

def echo(request):
    return Response(str(len(request.body)))

def stream(request):
    return Response(app_iter=(part for part in (b"one", b"two", b"three")))

def fail(request):
    common.price()

def answer(error, request):
    return Response("sorry", status=500)

def left(request):
    common.meet()
    common.queries(3)
    return Response("left")

def right(request):
    common.meet()
    common.queries(5)
    return Response("right")

with Configurator() as config:
    views = {"/users/{number}": user, "/echo": echo, "/stream": stream, "/fail": fail,
             "/left": left, "/right": right}
    for pattern, view in views.items():
        config.add_route(view.__name__, pattern)
        config.add_view(view, route_name=view.__name__)
    config.add_exception_view(answer)
    app = config.make_wsgi_app()
"""


def command(app: str, port: int) -> list[str]:
    return [script("waitress-serve"), "--listen", f"127.0.0.1:{port}", "--threads", "4", app]


def test_with_no_edit(tmp_path: Path) -> None:
    check(lambda port: command("site_:app", port), write(tmp_path, SITE), "/users/{number}")


def test_wrapped(tmp_path: Path) -> None:
    folder = write(tmp_path, SITE)
    check(lambda port: command("wrapped:app", port), folder, "/users/{number}", watched=False, WRAPPED="wsgi")


def test_without_a_view_for_exceptions_the_server_answers(tmp_path: Path) -> None:
    folder = write(tmp_path, SITE.replace("    config.add_exception_view(answer)\n", ""))
    check(lambda port: command("site_:app", port), folder, "/users/{number}")
