"""What README says to set up is set up by just these lines: each is run as written, in a small application."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

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


def lines_of(heading: str) -> str:
    found = re.search(rf"^\*\*{heading}\*\*\n```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"README sets up no {heading}"
    return found[1]


def test_each_set_up_as_written(tmp_path: Path) -> None:
    parts = [before + lines_of(heading) + after for heading, (before, after) in AROUND.items()]
    (tmp_path / "all.py").write_text("\n".join([*parts, "apm.flush()\n"]))
    done = subprocess.run(
        [PYTHON, "all.py"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / ".apm-agent" / "apm.db")) as store:
        names = {name for (name,) in store.execute("SELECT name FROM endpoints")}
    assert {"GET /flask", "GET /fastapi", "GET /wsgi", "nightly invoices"} <= names
