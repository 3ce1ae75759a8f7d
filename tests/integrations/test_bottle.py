"""Bottle on waitress and on its own server, with no edit and wrapped."""

from __future__ import annotations

from pathlib import Path

import pytest

from frameworks import check, write
from servers import PYTHON, script

pytestmark = pytest.mark.server

SITE = """
from bottle import Bottle, request
import common

app = Bottle()

@app.get("/users/<number:int>")
def user(number):
    return f"user {number}"

@app.post("/echo")
def echo():
    return str(len(request.body.read()))

@app.get("/stream")
def stream():
    for part in ("one", "two", "three"):
        yield part

@app.get("/fail")
def fail():
    common.price()

@app.get("/left")
def left():
    common.meet()
    common.queries(3)
    return "left"

@app.get("/right")
def right():
    common.meet()
    common.queries(5)
    return "right"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path, SITE)


def test_on_waitress_with_no_edit(folder: Path) -> None:
    def command(port: int) -> list[str]:
        return [script("waitress-serve"), "--listen", f"127.0.0.1:{port}", "--threads", "4", "site_:app"]

    check(command, folder, "/users/<number:int>")


def test_on_gunicorn_wrapped(folder: Path) -> None:
    def command(port: int) -> list[str]:
        return [script("gunicorn"), "--threads", "4", "--bind", f"127.0.0.1:{port}", "wrapped:app"]

    check(command, folder, "/users/<number:int>", watched=False, WRAPPED="wsgi")


def test_its_own_server_with_no_edit(folder: Path) -> None:
    (folder / "own.py").write_text(
        "import sys\nfrom bottle import run\nfrom socketserver import ThreadingMixIn\n"
        "from wsgiref.simple_server import WSGIServer\nfrom site_ import app\n"
        "class Threads(ThreadingMixIn, WSGIServer): daemon_threads = True\n"
        "run(app, port=int(sys.argv[1]), quiet=True, server_class=Threads)\n"
    )
    check(lambda port: [PYTHON, "own.py", str(port)], folder, "/users/<number:int>")
