"""R28: what a request's own thread does for us, counted in calls: the same on any machine, so growth is seen at once.

Times are measured by `make bench`; counted calls are what a test can hold without a quiet machine. A change that has to
raise a number here says why in its message.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: Calls of functions, ours or Python's own in C, more than the bare case makes; with a little room for other Pythons.
MOST = {"wsgi": 58, "asgi": 65, "flask": 86, "span": 25, "statement": 32}

COUNT = """
import asyncio, sqlite3, sys
sys.path[:0] = {path!r}
import apm_agent as apm

case, watched = sys.argv[1], sys.argv[2] == "watched"
# The sampler would be at work in some rounds and not in others; it has its own budget.
if watched:
    apm.install(store="sqlite:///{store}", sampler=False, flush_interval="60s")

def plain(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]

def environ():
    return {{"REQUEST_METHOD": "GET", "PATH_INFO": "/users/7", "SCRIPT_NAME": "", "SERVER_NAME": "here",
            "SERVER_PORT": "80", "wsgi.url_scheme": "http", "wsgi.input": None, "wsgi.errors": sys.stderr}}

def started(status, headers, exc_info=None):
    return None

def wsgi(app):
    def request():
        body = app(environ(), started)
        for _ in body: pass
        if hasattr(body, "close"): body.close()
    return request

def asgi():
    async def app(scope, receive, send):
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": b"ok"}})
    app = apm.asgi(app) if watched else app
    async def nothing(message=None): return None
    def request():
        scope = {{"type": "http", "method": "GET", "path": "/users/7", "headers": [], "root_path": ""}}
        try: app(scope, nothing, nothing).send(None)
        except StopIteration: pass
    return request

def flask():
    from flask import Flask
    app = Flask("site")
    app.add_url_rule("/users/<int:id>", view_func=lambda id: "ok")
    if watched:
        from apm_agent.integrations.flask import init_app
        init_app(app)
    return wsgi(app)

def inside(work):
    def request():
        if not watched:
            return work()
        with apm.background_transaction("job"):
            work()
    return request

TEN = 10
connection = sqlite3.connect(":memory:")
def spans():
    for _ in range(TEN):
        if watched:
            with apm.span("part"): pass
def statements():
    for _ in range(TEN): connection.execute("SELECT 1")

# What a transaction alone costs is taken off what ten of something inside it cost.
make = {{"wsgi": lambda: wsgi(apm.wsgi(plain) if watched else plain), "asgi": asgi, "flask": flask,
        "span": lambda: inside(spans), "statement": lambda: inside(statements),
        "nothing": lambda: inside(lambda: None)}}
request = make[case]()
for _ in range(50): request()
counts = []
for _ in range(99):
    calls = [0]
    def count(frame, event, argument):
        if event in ("call", "c_call"): calls[0] += 1
    sys.setprofile(count)
    request()
    sys.setprofile(None)
    counts.append(calls[0])
print(sorted(counts)[49])
"""


def calls(folder: Path, case: str, way: str) -> int:
    script = COUNT.format(path=sys.path, store=folder / "apm.db")
    command = [sys.executable, "-c", script, case, way]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("case", ["wsgi", "asgi", "flask"])
def test_r28_a_request_takes_no_more_steps_than_agreed(tmp_path: Path, case: str) -> None:
    added = calls(tmp_path, case, "watched") - calls(tmp_path, case, "bare")
    assert 0 < added <= MOST[case]


@pytest.mark.parametrize("case", ["span", "statement"])
def test_r28_a_span_takes_no_more_steps_than_agreed(tmp_path: Path, case: str) -> None:
    whole = calls(tmp_path, case, "watched") - calls(tmp_path, case, "bare")
    alone = calls(tmp_path, "nothing", "watched") - calls(tmp_path, "nothing", "bare")
    assert 0 < (whole - alone) / 10 <= MOST[case]


def test_r28_counting_sees_a_single_call_more(tmp_path: Path) -> None:
    """The same case twice counts the same, or one call more would be lost in the noise."""
    assert calls(tmp_path, "wsgi", "watched") == calls(tmp_path, "wsgi", "watched")
