"""Django, in a process of its own, because its settings are a process's."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from servers import PYTHON, ROOT, environment

SITES = Path(__file__).parent / "sites"

BEFORE = """
import asyncio, gc, json, threading, weakref
import notes
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current
from django.conf import settings
from django.test import AsyncClient, Client
ended = []
tracing.tracer = tracing.Tracer(sink=ended.append)
bodies = []

def get(*paths, client=None, method="get", **headers):
    client = client or Client(raise_request_exception=False)
    for path in paths:
        response = getattr(client, method)(path, headers=headers)
        bodies.append(response.getvalue().decode("latin-1"))
        response.close()
        assert current.get() is None

async def get_async(*paths):
    client = AsyncClient(raise_request_exception=False)
    for path in paths:
        response = await client.get(path)
        if response.streaming and response.is_async:
            bodies.append(b"".join([part async for part in response.streaming_content]).decode())
        else:
            bodies.append(response.getvalue().decode("latin-1"))
        response.close()
        assert current.get() is None

def say(**more):
    print(json.dumps({"seen": [{
        "kind": t.kind, "name": t.name, "view": t.view, "status": t.status, "path": t.path,
        "failure": t.failure and [t.failure.type, t.failure.place and t.failure.place[0].co_name],
        "spans": [s.name for s in t.spans], "first": t.first_byte_ns, "took": t.duration_ns,
    } for t in ended], "bodies": bodies, **more}))
"""

PATHS = (
    "/", "/notes/7/", "/notes/7", "/fail", "/missing", "/nowhere", "/page", "/listing", "/inner/a-b",
    "/articles/2024/page-2/", "/export.csv", "/file",
)  # fmt: skip
NAMES = [
    ("GET /", 200), ("GET /notes/<int:pk>/", 200), ("GET 301", 301), ("GET /fail", 500),
    ("GET /missing", 404), ("GET 404", 404), ("GET /page", 200), ("GET /listing", 200),
    ("GET /inner/<slug:a>", 200),
    ("GET /articles/<year>/", 200), ("GET /export.<…>", 200), ("GET /file", 200),
]  # fmt: skip


def run(code: str, **variables: str) -> dict[str, Any]:
    paths = os.pathsep.join((str(SITES), str(ROOT)))
    done = subprocess.run(
        [PYTHON, "-W", "error", "-c", BEFORE + code],
        env=environment(PYTHONPATH=paths, **variables),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize(
    "how", [f"get(*{PATHS!r})", f"asyncio.run(get_async(*{PATHS!r}))"], ids=["sync", "async"]
)
def test_names_are_methods_and_routes(how: str) -> None:
    seen = run(f"{how}; say()")["seen"]
    assert [(t["name"], t["status"]) for t in seen] == NAMES
    assert seen[3]["failure"] == ["ValueError", "fail"]
    assert [t["failure"] for n, t in enumerate(seen) if n != 3] == [None] * (len(PATHS) - 1)
    views = {t["name"]: t["view"] for t in seen}
    assert views["GET /notes/<int:pk>/"] == "notes:note"
    assert views["GET /page"] == "notes:Page"
    assert views["GET /listing"] == "notes:Notes.list"
    assert views["GET 404"] is None


def test_one_middleware_first_and_once() -> None:
    said = run(
        "from django.apps import apps; apps.get_app_config('apm_agent').ready()\n"
        "get('/'); say(middleware=settings.MIDDLEWARE)"
    )
    assert [m for m in said["middleware"] if "apm_agent" in m] == said["middleware"][:1]
    assert len(said["seen"]) == 1


def test_r09_streams_are_timed_to_their_last_byte() -> None:
    said = run("get('/stream'); asyncio.run(get_async('/stream', '/stream-async')); say()")
    assert said["bodies"] == ["x" * 30] * 3
    for transaction in said["seen"]:
        assert transaction["spans"] == ["part 0", "part 1", "part 2"]
        assert 0 < transaction["first"] < transaction["took"]
    assert [t["kind"] for t in said["seen"]] == ["web", "web", "stream"]


def test_r09_a_stream_nobody_reads_ends_and_is_let_go() -> None:
    said = run("""
client = Client()
gc.disable()
response = client.get("/stream")
iterator = weakref.ref(response._iterator)
response.close()
assert len(ended) == 1, "closed"
del response
client.get("/")
response = client.get("/stream")
next(iter(response))
del response
gc.collect()
assert len(ended) == 3, "collected"
say()
""")
    assert [t["name"] for t in said["seen"]] == ["GET /stream", "GET /", "GET /stream"]


def test_r15_no_request_changes_threads() -> None:
    said = run("asyncio.run(get_async('/here')); say(thread=threading.get_ident())")
    assert said["bodies"] == [str(said["thread"])]


def test_r16_user_session_and_body_are_left_alone() -> None:
    said = run("get('/untouched', client=Client()); asyncio.run(get_async('/untouched')); say()")
    assert said["bodies"] == ["[]False", "[]False"]


def test_r21_wsgi_around_django_is_one_transaction_with_djangos_name() -> None:
    said = run("""
from django.core.wsgi import get_wsgi_application
from apm_agent.integrations.wsgi import APMMiddleware
from werkzeug.test import Client as Werkzeug
client = Werkzeug(APMMiddleware(get_wsgi_application(), enabled=False))
for path in ("/notes/7/", "/stream", "/nowhere", "/fail"):
    response = client.get(path)
    response.data
    response.close()
say()
""")
    assert [(t["name"], t["spans"]) for t in said["seen"]] == [
        ("GET /notes/<int:pk>/", ["note"]),
        ("GET /stream", ["part 0", "part 1", "part 2"]),
        ("GET 404", []),
        ("GET /fail", []),
    ]
    assert said["seen"][3]["failure"] == ["ValueError", "fail"]


def test_settings_are_djangos_dict(tmp_path: Path) -> None:
    paths = os.pathsep.join((str(SITES), str(ROOT)))
    for given, words in (('{"SLOW": "fast"}', "slow is 'fast'"), ("[1]", "must be a dict")):
        done = subprocess.run(
            [PYTHON, "-c", "import notes"], env=environment(PYTHONPATH=paths, SITE_SETTINGS=given),
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert "ConfigError" in done.stderr
        assert words in done.stderr
