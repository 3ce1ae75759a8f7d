"""R21: one Django application with Channels, under WSGI and ASGI, on each server and in the test client: one truth."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from frameworks import ASKED, AT_ONCE, RUN, agree, check, listen, recorded, write
from servers import PYTHON, ROOT, environment, free_port, running, script, uvicorn

SITE = """
import django
from django.conf import settings

settings.configure(
    DEBUG=False, SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, LOGGING_CONFIG=None,
    INSTALLED_APPS=["channels"], ASGI_APPLICATION="site_.app",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path, re_path
import common

def user(request, number):
    return HttpResponse(f"user {number}")

def echo(request):
    return HttpResponse(str(len(request.body)))

def stream(request):
    return StreamingHttpResponse((part for part in ("one", "two", "three")), content_type="text/plain")

def fail(request):
    common.price()

async def left(request):
    await common.meet_async()
    common.queries(3)
    return HttpResponse("left")

async def right(request):
    await common.meet_async()
    common.queries(5)
    return HttpResponse("right")

urlpatterns = [
    path("users/<int:number>", user), path("echo", echo), path("stream", stream), path("fail", fail),
    path("left", left), path("right", right),
]

class Live(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        await self.send("hello")
        await self.close()

class Broken(WebsocketConsumer):
    def connect(self):
        self.accept()
        self.send("hello")
        common.price()

class Around:
    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        return await self.inner(scope, receive, send)

rooms = URLRouter([path("<str:room>/live", Live.as_asgi()), re_path("^(?P<room>.+)/broken$", Broken.as_asgi())])
wsgi = get_wsgi_application()
app = ProtocolTypeRouter({
    "http": get_asgi_application(),
    "websocket": URLRouter([path("elsewhere", Live.as_asgi()), re_path("^rooms/", Around(rooms))]),
})
"""
TEMPLATE = "/users/<int:number>"
SERVERS = {
    "gunicorn": lambda port: [
        script("gunicorn"), "--threads", "4", "--bind", f"127.0.0.1:{port}", "site_:wsgi",
    ],
    "uvicorn": lambda port: uvicorn("site_:app", port),
    "hypercorn": lambda port: [script("hypercorn"), "--bind", f"127.0.0.1:{port}", "site_:app"],
    "daphne": lambda port: [script("daphne"), "--bind", "127.0.0.1", "--port", str(port), "site_:app"],
}  # fmt: skip
CLIENT = """
import site_
import apm_agent
from concurrent.futures import ThreadPoolExecutor
from django.test import Client
from frameworks import ASKED, AT_ONCE

client = Client(raise_request_exception=False)
for method, path, body in ASKED:
    made = client.generic(method, path, body)
    made.getvalue()
    made.close()
with ThreadPoolExecutor(2) as threads:
    list(threads.map(Client().get, AT_ONCE))
"""


@pytest.mark.server
@pytest.mark.parametrize("server", SERVERS)
def test_r21_every_server_answers_as_without_us_and_tells_the_same(server: str, tmp_path: Path) -> None:
    check(SERVERS[server], write(tmp_path, SITE), TEMPLATE)


def test_r21_so_does_the_test_client(tmp_path: Path) -> None:
    folder = write(tmp_path, SITE)
    (folder / "client.py").write_text(CLIENT)
    env = environment(PYTHONPATH=os.pathsep.join((str(folder), str(ROOT), str(ROOT / "tests"))))
    subprocess.run([*RUN, PYTHON, "client.py"], env=env, cwd=folder, timeout=60, check=True)
    agree(recorded(folder / ".apm-agent" / "apm.db", len(ASKED) + len(AT_ONCE)), TEMPLATE)


@pytest.mark.server
@pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "daphne"])
def test_r11_a_websocket_has_its_consumers_route(server: str, tmp_path: Path) -> None:
    write(tmp_path, SITE)
    port = free_port()
    env = environment(PYTHONPATH=os.pathsep.join((str(tmp_path), str(ROOT))))
    with running([*RUN, *SERVERS[server](port)], port=port, env=env, cwd=tmp_path) as program:
        for path in ("/rooms/blue/live", "/rooms/red/live", "/rooms/red/broken", "/elsewhere"):
            assert b" 101 " in listen(port, path).partition(b"\r\n")[0]
        found = recorded(tmp_path / ".apm-agent" / "apm.db", 4)
    assert sorted((seen.kind, seen.name, seen.status, seen.failure) for seen in found) == [
        ("websocket", "WS /elsewhere", 101, None),
        ("websocket", "WS /rooms/<room>/broken", 101, ("LookupError", "price")),
        ("websocket", "WS /rooms/<str:room>/live", 101, None),
        ("websocket", "WS /rooms/<str:room>/live", 101, None),
    ], program.output
