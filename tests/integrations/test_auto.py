"""No edits: what `apm-agent run` starts in every Python wraps each application exactly once."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from servers import PYTHON, ROOT, environment, free_port, running, script

SITES = Path(__file__).parent / "sites"

#: What the command puts first on the path: the agent, and then a sink that prints.
BOOT = """
from apm_agent.integrations import auto
auto.install()
"""

LIST = """
import apm_agent, json
from apm_agent.tracing import tracer as tracing
ended = []
tracing.tracer = tracing.Tracer(sink=ended.append)

def say():
    print(json.dumps([[t.kind, t.name, t.status] for t in ended]))
"""


def run(code: str, folder: Path, **variables: str) -> Any:
    paths = os.pathsep.join((str(SITES), str(ROOT)))
    # Old libraries on new Pythons warn of themselves; `make matrix` lets them.
    strict = os.environ.get("TESTS_WARNINGS", "error")
    done = subprocess.run(
        [PYTHON, "-W", strict, "-c", BOOT + LIST + code], env=environment(PYTHONPATH=paths, **variables),
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_flask_is_wrapped_as_it_is_made(tmp_path: Path) -> None:
    assert run("""
from flask import Flask
from werkzeug.test import Client
app = Flask("a")
app.add_url_rule("/users/<id>", view_func=lambda id: id)
Client(app).get("/users/7").close()
app = apm_agent.wsgi(app)                      # and the application may still do it itself
Client(app).get("/users/7").close()
say()
""", tmp_path) == [["web", "GET /users/<id>", 200]] * 2  # fmt: skip


def test_starlette_and_fastapi_are_wrapped_as_their_stack_is_built(tmp_path: Path) -> None:
    assert run("""
import asyncio, httpx
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from apm_agent.integrations.starlette import APMMiddleware

async def user(request):
    return PlainTextResponse("x")

apps = [Starlette(routes=[Route("/users/{id}", user)]) for _ in range(2)]
apps[1].add_middleware(APMMiddleware)
fast = FastAPI()
fast.get("/users/{id}")(lambda id: id)

async def main():
    for app in (*apps, fast):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            await client.get("/users/7")

asyncio.run(main())
ended[:] = [t for t in ended if t.kind == "web"]
say()
""", tmp_path) == [["web", "GET /users/{id}", 200]] * 3  # fmt: skip


def test_django_is_watched_as_it_starts_and_its_apps_stay_its_own(tmp_path: Path) -> None:
    assert run("""
import notes
from django.apps import apps
from django.conf import settings
from django.test import Client
from apm_agent import agent
assert [config.name for config in apps.get_app_configs()] == list(settings.INSTALLED_APPS)
assert not apps.is_installed("apm_agent.integrations.django")
assert sum("apm_agent" in name for name in settings.MIDDLEWARE) == 1
assert agent.config().service == "notes", "what the framework says counts, though it came later"
tracing.tracer = tracing.Tracer(sink=ended.append)
Client().get("/notes/7/")
say()
""", tmp_path, SITE_WATCHED="0", SITE_SETTINGS='{"SERVICE": "notes"}') == [
        ["web", "GET /notes/<int:pk>/", 200]
    ]  # fmt: skip


def test_django_that_has_the_app_keeps_one(tmp_path: Path) -> None:
    assert run("""
import notes
from django.test import Client
tracing.tracer = tracing.Tracer(sink=ended.append)
Client().get("/notes/7/")
say()
""", tmp_path, SITE_WATCHED="1", SITE_SETTINGS="{}") == [["web", "GET /notes/<int:pk>/", 200]]  # fmt: skip


@pytest.mark.parametrize(
    "serve",
    [
        "from wsgiref.simple_server import make_server; server = make_server('127.0.0.1', 0, app)",
        "from werkzeug.serving import make_server; server = make_server('127.0.0.1', 0, app)",
    ],
    ids=["wsgiref", "werkzeug"],
)
def test_an_application_without_a_framework_is_wrapped_as_it_is_served(serve: str, tmp_path: Path) -> None:
    assert run(f"""
import threading, urllib.request

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "1")])
    return [b"x"]

{serve}
thread = threading.Thread(target=server.serve_forever)
thread.start()
urllib.request.urlopen(f"http://127.0.0.1:{{server.server_port}}/users/7").read()
server.shutdown()
server.server_close()
thread.join()
ended[:] = [t for t in ended if t.kind == "web"]
say()
""", tmp_path) == [["web", "GET /users/{id}", 200]]  # fmt: skip


def test_later_words_of_the_application_win_and_wrong_ones_stop_it(tmp_path: Path) -> None:
    run("""
from apm_agent import agent
apm_agent.install(slow="2s")
assert agent.config().slow == 2.0 and agent.config().service == "env"
apm_agent.install(slow="2s")
try:
    apm_agent.install(slow="3s")
except apm_agent.errors.InstallError:
    print("[]")
""", tmp_path, APM_AGENT_SERVICE="env")  # fmt: skip


def test_what_cannot_be_wrapped_is_left_alone(tmp_path: Path) -> None:
    run("""
for thing in (None, 7, "app", object()):
    assert auto.wrap(thing) is thing
class Odd:
    def __getattr__(self, name):
        raise RuntimeError(name)
    def __call__(self, environ, start_response): ...
odd = Odd()
assert auto.wrap(odd) is odd or auto.wrap(odd).app is odd
say()
""", tmp_path)  # fmt: skip


PRINTER = """
import os, sys
sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
from apm_agent.integrations import auto
auto.install()
from apm_agent import agent
if agent.config() is not None:
    recorder = agent._agent.recorder
    from apm_agent.tracing import tracer as tracing
    def tell(transaction):
        print("ended", transaction.kind, transaction.name, flush=True)
        recorder(transaction)
    tracing.tracer.sink = tell
"""

SERVERS = {
    "gunicorn-wsgi": ("gunicorn", "kitchen:wsgi", "/list", ["--bind", "127.0.0.1:{port}", "--workers", "2"]),
    "gunicorn-flask": ("gunicorn", "kitchen:flasks", "/plain/", ["--bind", "127.0.0.1:{port}", "--preload"]),
    "uvicorn-asgi": ("uvicorn", "kitchen:asgi", "/plain", ["--port", "{port}"]),
    "uvicorn-workers": ("uvicorn", "kitchen:starlettes", "/headers", ["--port", "{port}", "--workers", "2"]),
    "uvicorn-wsgi": ("uvicorn", "kitchen:wsgi", "/list", ["--port", "{port}", "--interface", "wsgi"]),
    "hypercorn-asgi": ("hypercorn", "kitchen:asgi", "/plain", ["--bind", "127.0.0.1:{port}"]),
    "hypercorn-wsgi": ("hypercorn", "kitchen:flasks", "/plain/", ["--bind", "127.0.0.1:{port}"]),
    "gunicorn-uvicorn": (
        "gunicorn", "kitchen:asgi", "/plain", ["--bind", "127.0.0.1:{port}", "--worker-class", "asgi"]
    ),
}  # fmt: skip


@pytest.mark.server
@pytest.mark.parametrize("case", SERVERS)
def test_r30_servers_and_their_workers_need_no_edits(case: str, tmp_path: Path) -> None:
    command, app, path, options = SERVERS[case]
    port = free_port()
    boot = tmp_path / "boot"
    boot.mkdir()
    (boot / "sitecustomize.py").write_text(PRINTER)
    env = environment(
        PYTHONPATH=os.pathsep.join((str(boot), str(SITES), str(ROOT))), SITE_WATCHED="0",
        APM_AGENT_FLUSH_INTERVAL="50ms",
    )  # fmt: skip
    words = [script(command), *(option.format(port=port) for option in options), app]
    with running(words, port=port, env=env, cwd=tmp_path) as program:
        import http.client

        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", path)
            assert connection.getresponse().status == 200, program.output
            connection.close()
        program.wait_for_output(f"ended web GET {path}")
    assert program.output.count("ended web") == 3, program.output
