"""R6, R8, R33, R35: what gunicorn's workers of each kind do at boot and at work, preloaded by the master or not."""

from __future__ import annotations

import http.client
import json
import os
import urllib.request
from pathlib import Path

import psutil
import pytest

from records import rows, sums_agree
from servers import ROOT, environment, free_port, gunicorn, running
from witness import load, serving, until

pytestmark = pytest.mark.server

#: TLS contexts recurse without end where gevent patched `ssl` too late; the hook notes every socket of our making.
SITE = """
import json, os, ssl, sys, traceback
import apm_agent

opened = []

def hear(event, arguments):
    if event.startswith("socket."):
        here = sys._getframe(1)
        while here is not None:
            name = here.f_globals.get("__name__", "")
            if name.partition(".")[0] == "apm_agent" and not name.startswith("apm_agent.integrations"):
                opened.append(f"{event} by {name}")
                return
            here = here.f_back

sys.addaudithook(hear)

def site(environ, start_response):
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    size = 0
    if environ["REQUEST_METHOD"] == "POST":
        while part := environ["wsgi.input"].read(2**16):
            size += len(part)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"size": size, "opened": opened, "pid": os.getpid()}).encode()]

app = apm_agent.wsgi(site, service="boot", sample_interval="2ms")

async def asgi_site(scope, receive, send):
    assert scope["type"] == "http"
    ssl.create_default_context()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps({"opened": opened, "pid": os.getpid()}).encode()})

asgi = apm_agent.asgi(asgi_site, service="boot", sample_interval="2ms")
"""
WORKERS = {
    "sync": ("site_:app", "--worker-class", "sync", "--threads", "1"),
    "gthread": ("site_:app",),
    "gevent": ("site_:app", "--worker-class", "gevent"),
    "uvicorn": ("site_:asgi", "--worker-class", "uvicorn.workers.UvicornWorker"),
}


@pytest.mark.parametrize(
    ("kind", "preload"), [*((kind, True) for kind in WORKERS), ("gevent", False), ("uvicorn", False)]
)
def test_r06_r33_workers_boot_serve_record_and_open_no_socket(
    tmp_path: Path, kind: str, preload: bool
) -> None:
    app, *options = WORKERS[kind]
    (tmp_path / "site_.py").write_text(SITE)
    port, store = free_port(), tmp_path / "apm.db"
    env = environment(
        PYTHONPATH=os.pathsep.join((str(tmp_path), str(ROOT))), APM_AGENT_STORE=f"sqlite:///{store}",
        APM_AGENT_FLUSH_INTERVAL="0.1",
    )  # fmt: skip
    if preload:
        options.append("--preload")
    with running(gunicorn(app, port, *options), port=port, env=env, cwd=tmp_path) as program:
        told = []
        for _ in range(12):
            with urllib.request.urlopen(f"{program.url}/", timeout=20) as answer:
                told.append(json.load(answer))
        # R33: no socket but those of the server and the application.
        assert [each["opened"] for each in told] == [[]] * 12
        assert program.stop() == 0
        assert "apm-agent failed" not in program.output, program.output
    assert rows(store, "SELECT count(*) FROM transactions") == [(12,)]
    assert {each["pid"] for each in told} == {pid for (pid,) in rows(store, "SELECT pid FROM processes")}
    assert sums_agree(store)


def test_r08_a_large_upload_goes_to_the_application_as_it_comes(tmp_path: Path) -> None:
    """100 MB pass through, and no process grows by what would be a copy of it."""
    (tmp_path / "site_.py").write_text(SITE)
    port, size, part = free_port(), 100 * 2**20, bytes(2**16)
    env = environment(
        PYTHONPATH=os.pathsep.join((str(tmp_path), str(ROOT))), APM_AGENT_STORE=f"sqlite:///{tmp_path}/apm.db"
    )
    command = gunicorn("site_:app", port, "--workers", "1", "--threads", "1", "--worker-class", "sync")
    with running(command, port=port, env=env, cwd=tmp_path) as program:
        urllib.request.urlopen(f"{program.url}/", timeout=20).read()
        [worker] = psutil.Process(program.pid).children()
        before = worker.memory_info().rss
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        client.request("POST", "/upload", body=(part for _ in range(size // len(part))), headers={
            "Content-Length": str(size)
        })  # fmt: skip
        assert json.load(client.getresponse())["size"] == size
        client.close()
        assert worker.memory_info().rss - before < 10 * 2**20


def test_r35_workers_of_a_server_that_boot_at_once_make_one_schema(tmp_path: Path) -> None:
    """As many clients as workers at once, on a folder where nothing is yet."""
    with serving(tmp_path, "--workers", "6") as site:
        with load(site, 6) as statuses:
            assert until(lambda: len({each.pid for each in site.served()}) == 6)
        assert set(statuses) == {200}
    assert "apm-agent" not in site.program.output, site.program.output
    assert {(each.pid, each.path) for each in site.served()} == site.kept()
    assert rows(site.store, "PRAGMA integrity_check") == [("ok",)]
