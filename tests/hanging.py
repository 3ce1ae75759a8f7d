"""Applications with a request that hangs in a known line, and with one that computes, on real servers."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import Program, environment, free_port, gunicorn, running, uvicorn

WSGI = """
import time
import apm_agent

def stuck():
    time.sleep(120)  # stuck

def burn():
    until = time.monotonic() + 0.1
    while time.monotonic() < until:
        sum(range(500))

def app(environ, start_response):
    {"/stuck": stuck, "/burn": burn}.get(environ["PATH_INFO"], lambda: None)()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]

app = apm_agent.wsgi(app, service="shop", sampler_budget=0.5)
"""
ASGI = """
import asyncio
import apm_agent

async def stuck():
    await asyncio.sleep(120)  # stuck

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/stuck":
        await stuck()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})

app = apm_agent.asgi(app, service="shop")
"""


#: What a server is given to serve.
SOURCES = {"gunicorn": WSGI, "gevent": WSGI, "uvicorn": ASGI}
_OPTIONS = {"gevent": ("--worker-class", "gevent")}


def line_of(source: str) -> int:
    return next(number for number, line in enumerate(source.splitlines(), 1) if "# stuck" in line)


@contextmanager
def served(folder: Path, kind: str) -> Iterator[Program]:
    """The application on a server of `SOURCES`, gunicorn's with two workers, with its store in `folder`."""
    source = SOURCES[kind]
    (folder / "hanging.py").write_text(source)
    port = free_port()
    command = (
        uvicorn("hanging:app", port, "--timeout-graceful-shutdown", "1")
        if kind == "uvicorn"
        else gunicorn("hanging:app", port, "--graceful-timeout", "1", *_OPTIONS.get(kind, ()))
    )
    env = environment(APM_AGENT_STORE=f"sqlite:///{folder}/apm.db", PYTHONPATH=str(folder))
    with running(command, port=port, env=env, cwd=folder) as program:
        yield program


def visit(url: str) -> threading.Thread:
    """Ask for a page that may never come."""

    def ask() -> None:
        try:
            urllib.request.urlopen(url, timeout=100).read()
        except OSError:
            pass  # the server was stopped

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread
