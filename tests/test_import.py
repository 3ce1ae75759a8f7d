"""What loading us costs an application before anything happens: few modules, none that others must load first."""

from __future__ import annotations

import json
import subprocess
import sys

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
