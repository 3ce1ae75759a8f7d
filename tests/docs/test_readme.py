"""What README says to set up is set up by just these lines: each is run as written, in a small application."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest

from apm_agent.cli import COMMANDS
from servers import PYTHON, ROOT, environment

README = (ROOT / "README.md").read_text()
#: heading of a set-up → what is there before its lines, and how the application is asked after them
AROUND = {
    "Flask": (
        "from flask import Flask\napp = Flask('shop')\napp.get('/flask')(lambda: 'hello')\n",
        "assert app.test_client().get('/flask').status_code == 200\n"
        "assert app.test_client().get('/apm/overview').status_code == 200\n",
    ),
    "FastAPI, Starlette": (
        "from fastapi import FastAPI\napp = FastAPI()\napp.get('/fastapi')(lambda: 'hello')\n",
        "import asyncio, httpx\n"
        "async def ask():\n"
        "    transport = httpx.ASGITransport(app=app, client=('127.0.0.1', 1))\n"
        "    async with httpx.AsyncClient(transport=transport, base_url='http://localhost') as client:\n"
        "        assert (await client.get('/fastapi')).status_code == 200\n"
        "        assert (await client.get('/apm/overview')).status_code == 200\n"
        "asyncio.run(ask())\n",
    ),
    "Any WSGI or ASGI application": (
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'hello']\n",
        "from werkzeug.test import Client\nassert Client(app).get('/wsgi').status_code == 200\n"
        "here = {'REMOTE_ADDR': '127.0.0.1'}\n"
        "assert Client(app).get('/apm/overview', environ_overrides=here).status_code == 200\n",
    ),
    "Jobs": ("", "invoices()\n"),
}

pytestmark = pytest.mark.server


#: A site of Django's with the lines of README, asked by either of its doors.
DJANGO = """
import asyncio, sys
from django.conf import settings
{settings}
settings.configure(
    INSTALLED_APPS=INSTALLED_APPS, ROOT_URLCONF="urls", SECRET_KEY="s", ALLOWED_HOSTS=["*"], DEBUG=True,
)
import django
django.setup()
from django.test import AsyncClient, Client
if sys.argv[1] == "wsgi":
    ask = Client().get
else:
    ask = lambda path: asyncio.run(AsyncClient().get(path))
assert ask("/django").status_code == 200
assert ask("/apm/overview").status_code == 200
import apm_agent
apm_agent.flush()
"""


def lines_of(heading: str) -> str:
    found = re.search(rf"^\*\*{heading}\*\*[^\n]*\n```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"README sets up no {heading}"
    return found[1]


@pytest.mark.parametrize("door", ["wsgi", "asgi"])
def test_django_as_written(door: str, tmp_path: Path) -> None:
    around = re.search(r"^```python\n(from django.urls .*?)^```", README, re.MULTILINE | re.DOTALL)
    assert around is not None
    (tmp_path / "site_.py").write_text(DJANGO.format(settings=lines_of("Django").replace(", ...", "")))
    (tmp_path / "urls.py").write_text(
        "from django.http import HttpResponse\n"
        + around[1].replace(", ...", ", path('django', lambda request: HttpResponse('hello'))")
    )
    done = subprocess.run(
        [PYTHON, "site_.py", door],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "GET /django" in names_in(tmp_path)


def names_in(folder: Path) -> set[str]:
    """Endpoints of the store that is made where a program runs."""
    with closing(sqlite3.connect(folder / ".apm-agent" / "apm.db")) as store:
        return {name for (name,) in store.execute("SELECT name FROM endpoints")}


def test_every_command_and_its_options_are_told() -> None:
    rows = dict(re.findall(r"^\| `apm-agent (\w+)[^|]*\| (.*) \|$", README, re.MULTILINE))
    assert set(rows) >= set(COMMANDS), set(COMMANDS) - set(rows)
    pages = "\n".join(path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")))
    for name, module in COMMANDS.items():
        said = import_module(module).command
        for option in (each for each in said.params if each.param_type_name == "option" and not each.hidden):
            assert said.help, name
            assert any(
                re.search(rf"{re.escape(long)}\b", pages) for long in (*option.opts, *option.secondary_opts)
            ), f"no page tells of apm-agent {name} {option.opts[-1]}"


def test_each_set_up_as_written(tmp_path: Path) -> None:
    parts = [before + lines_of(heading) + after for heading, (before, after) in AROUND.items()]
    (tmp_path / "all.py").write_text("\n".join([*parts, "apm.flush()\n"]))
    done = subprocess.run(
        [PYTHON, "all.py"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"GET /flask", "GET /fastapi", "GET /wsgi", "nightly invoices"} <= names_in(tmp_path)
