"""What loading us costs an application before anything happens: few modules, none that others must load first."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: gevent patches these, and must come first; the rest is for those who use it.
NEVER = {
    "ssl", "socket", "select", "selectors", "asyncio", "threading", "urllib3", "urllib.request", "http.client",
    "subprocess", "sqlite3", "inspect", "logging", "werkzeug", "click", "sqlite_utils", "a2wsgi", "wrapt",
    "django", "flask", "starlette", "sqlalchemy", "jinja2", "requests", "httpx", "json", "email",
}  # fmt: skip


def modules(code: str) -> set[str]:
    run = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            f"{code}\nimport sys, json\nprint(json.dumps(list(sys.modules)))",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_r06_r27_import_loads_little_and_nothing_that_must_wait() -> None:
    bare = modules("")
    loaded = modules("import apm_agent") - bare
    assert not loaded & (NEVER - bare)
    assert len(loaded) <= 60, sorted(loaded)


def test_r06_verbs_outside_of_an_application_load_nothing_more() -> None:
    use = """
import apm_agent
@apm_agent.span
def work(): apm_agent.add_context(a=1)
@apm_agent.background_transaction("job")
def job():
    with apm_agent.span("x") as s: s.tag(a=1)
work(); job(); apm_agent.rename_transaction("x"); apm_agent.ignore_transaction(); apm_agent.capture_exception()
assert apm_agent.current_transaction() is None
"""
    assert modules(use) - modules("import apm_agent") == set()


def test_r06_gevent_can_patch_after_us() -> None:
    """gevent warns, and warnings are errors, when `ssl` was there first."""
    pytest.importorskip("gevent")
    modules(
        "import apm_agent.instruments.patching as p\np.apply()\nfrom gevent import monkey\nmonkey.patch_all()"
    )


#: One request to an application of a few lines, and what was imported in its thread meanwhile.
FIRST = """
import sys
from _thread import get_ident
import apm_agent
from werkzeug.test import Client
apm_agent.install()
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
client = Client(WRAPPED)
class Finder:
    seen = []
    here = get_ident()
    def find_spec(self, name, path=None, target=None):
        if get_ident() == self.here:
            self.seen.append(name)
sys.meta_path.insert(0, Finder())
rounds = []
for _ in range(3):
    Finder.seen = []
    assert client.get("/").data == b"ok"
    rounds.append(Finder.seen)
"""


def test_r27_the_first_request_loads_no_part_of_ours(tmp_path: Path) -> None:
    """What requests need is loaded by then; the threads that the first one starts load theirs themselves."""

    def rounds(app: str) -> list[list[str]]:
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", f"{FIRST.replace('WRAPPED', app)}\nprint(rounds)"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "APM_AGENT_STORE": f"sqlite:///{tmp_path}/apm.db"},
            cwd=tmp_path,
        )
        assert run.returncode == 0, run.stderr
        found: list[list[str]] = ast.literal_eval(run.stdout.splitlines()[-1])
        return found

    first, *more = rounds("apm_agent.wsgi(app)")
    clients, *_ = rounds("app")  # the client has to load something too
    assert set(first) <= set(clients)
    assert more == [[], []]
