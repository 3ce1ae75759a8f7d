"""uWSGI, whose workers are forked in C, with no edit: whether it loads the application before or after the fork."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from frameworks import RUN, ask, recorded
from servers import PYTHON, ROOT, environment, free_port, running, script

pytestmark = pytest.mark.server

SITE = """
import sqlite3

def app(environ, start_response):
    with sqlite3.connect(":memory:") as connection:
        connection.execute("SELECT 1").fetchall()
    if environ["PATH_INFO"] == "/fail":
        raise LookupError("no such price")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (part for part in (b"one", b"two"))
"""
FLASK = """
from flask import Flask
app = Flask(__name__)

@app.get("/users/<int:number>")
def user(number):
    return f"user {number}"
"""
ASKED = [("GET", "/users/7", b""), ("GET", "/users/8", b""), ("GET", "/users/9", b"")]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nonetwo"
MODES = {
    "preforked": (),
    "lazy apps": ("--lazy-apps",),
    "threads": ("--threads", "2"),
}


def uwsgi(port: int, app: str, *options: str) -> list[str]:
    python = str(Path(script("python")).parent.parent)
    return [
        script("uwsgi"), "--http-socket", f"127.0.0.1:{port}", "--home", python, "--module", app, "--master",
        "--processes", "2", "--die-on-term", "--need-app",
        # Now and then uWSGI, also alone, waits for a worker that never heard of the end: a minute, unless it is told.
        "--worker-reload-mercy", "5", *options,
    ]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_r05_workers_forked_in_c_record(mode: str, tmp_path: Path) -> None:
    (tmp_path / "site_.py").write_text(SITE)
    port = free_port()
    command = uwsgi(port, "site_:app", *MODES[mode])
    store = tmp_path / ".apm-agent" / "apm.db"
    env = environment(PYTHONPATH=f"{tmp_path}:{ROOT}")
    bare = [ANSWER] * len(ASKED)
    if mode == "preforked":
        with running(command, port=port, env=env, cwd=tmp_path):
            assert [ask(port, request) for request in ASKED] == bare
    with running([*RUN, *command], port=port, env=env, cwd=tmp_path) as program:
        assert [ask(port, request) for request in ASKED] == bare
        found = recorded(store, len(ASKED))
        assert [(seen.name, seen.status, seen.queries) for seen in found] == [
            ("GET /users/{id}", 200, 1)
        ] * 3, program.output


@pytest.mark.parametrize("mode", ["preforked", "lazy apps", "threads"])
def test_r05_wrapped_by_hand_it_records_or_says_why_not(mode: str, tmp_path: Path) -> None:
    """Up to its 2.0.26 uWSGI has threads only where it is told so; it says itself whether it has."""
    (tmp_path / "site_.py").write_text(f"{SITE}\nimport apm_agent\napp = apm_agent.wsgi(app)\n")
    port = free_port()
    command = uwsgi(port, "site_:app", *MODES[mode])
    env = environment(PYTHONPATH=f"{tmp_path}:{ROOT}")
    with running(command, port=port, env=env, cwd=tmp_path) as program:
        assert [ask(port, request) for request in ASKED] == [ANSWER] * len(ASKED)
        if "threads support enabled" in program.output:
            found = recorded(tmp_path / ".apm-agent" / "apm.db", len(ASKED))
            assert [seen.name for seen in found] == ["GET /users/{id}"] * 3
            assert "apm-agent" not in program.output, program.output
        else:
            assert "cure: start it with --enable-threads" in program.output


WITHOUT = """
import sys, types
sys.modules["uwsgi"] = types.SimpleNamespace(has_threads=0)
import apm_agent
from apm_agent import agent
app = apm_agent.wsgi(lambda environ, start_response: [])
with apm_agent.background_transaction("job"):
    print(agent._agent.sampler.stats()["state"], sys.getswitchinterval())
apm_agent.uninstall()
apm_agent.install()
"""


def test_r05_where_it_has_no_threads_nothing_waits_for_one(tmp_path: Path) -> None:
    """As its 2.0.26 tells it to Python: said at the start, and no look is waited for that never comes."""
    done = subprocess.run(
        [PYTHON, "-c", WITHOUT], env=environment(PYTHONPATH=str(ROOT)), cwd=tmp_path, timeout=60, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    why = "uWSGI runs no threads; cure: start it with --enable-threads"
    assert done.stdout == f"off: {why} {sys.getswitchinterval()}\n"
    assert done.stderr.count(why) == 1, done.stderr


def test_a_framework_is_named_by_its_routes(tmp_path: Path) -> None:
    (tmp_path / "site_.py").write_text(FLASK)
    port = free_port()
    env = environment(PYTHONPATH=f"{tmp_path}:{ROOT}")
    with running(
        [*RUN, *uwsgi(port, "site_", "--callable", "app")], port=port, env=env, cwd=tmp_path
    ) as program:
        assert urllib.request.urlopen(f"{program.url}/users/7", timeout=20).read() == b"user 7"
        found = recorded(tmp_path / ".apm-agent" / "apm.db", 1)
    assert [(seen.name, seen.status) for seen in found] == [("GET /users/<int:number>", 200)]
