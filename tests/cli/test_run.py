"""`apm-agent run`: the command stays what it was, and everything it starts is watched."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from api import ask, ask_until
from servers import PYTHON, environment, free_port, running, script

RUN = [PYTHON, "-m", "apm_agent", "run", "--no-dashboard"]

#: An application that knows nothing of us, as WSGI (Flask) and as ASGI (Starlette).
FLASK = """
import sqlite3
from flask import Flask, jsonify

app = Flask(__name__)
connection = sqlite3.connect(":memory:", check_same_thread=False)
connection.execute("CREATE TABLE customer (id INTEGER, name TEXT)")
connection.executemany("INSERT INTO customer VALUES (?, 'name')", [(number,) for number in range(5000)])

@app.get("/orders")
def orders():
    rows = []
    for number in range(50):
        sql = "SELECT name FROM customer WHERE id = ?"
        rows.append(connection.execute(sql, (number,)).fetchall())  # N+1
    return jsonify(len(rows))
"""
N1 = next(n for n, line in enumerate(FLASK.splitlines(), 1) if line.endswith("# N+1"))
STARLETTE = """
import asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def orders(request):
    await asyncio.sleep(0.01)
    return PlainTextResponse("orders")

app = Starlette(routes=[Route("/orders", orders)])
"""
DJANGO = """
import os, sys
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

def orders(request):
    return HttpResponse("orders")

urlpatterns = [path("orders", orders)]
settings.configure(DEBUG=True, SECRET_KEY="x", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])

if __name__ == "__main__":
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""
SCRIPT = """
from wsgiref.simple_server import make_server
import sys
from shop import app

make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"shop": FLASK, "feed": STARLETTE, "manage": DJANGO, "serve": SCRIPT}.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def run(
    folder: Path, *command: str, options: tuple[str, ...] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUN, *options, *command],
        cwd=folder, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def said(printed: str) -> list[str]:
    """What was printed beside our banner."""
    return [line for line in printed.splitlines() if not line.startswith("apm-agent ▸ watching ")]


def why(folder: Path, endpoint: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "apm_agent", "why", endpoint, *options],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def calls(folder: Path, endpoint: str, expected: int) -> int:
    """How many calls were counted, waited for as long as there are fewer than expected."""
    deadline = time.monotonic() + 15
    while True:
        told = why(folder, endpoint, "--json")
        count = json.loads(told.stdout)["count"] if told.returncode == 0 else 0
        if count >= expected or time.monotonic() > deadline:
            return int(count)


# What stays the command's own.


def test_the_exit_code_is_the_commands(folder: Path) -> None:
    assert run(folder, PYTHON, "-c", "raise SystemExit(7)").returncode == 7
    assert (
        run(folder, PYTHON, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)").returncode == -9
    )


def test_streams_arguments_and_signals_are_the_commands(folder: Path) -> None:
    done = run(
        folder, PYTHON, "-c", "import sys; print(sys.argv[1:], sys.stdin.read())", "--port", "-x", "a b"
    )
    assert done.stdout == "['--port', '-x', 'a b'] \n"
    assert said(done.stderr) == []
    # Python ignores SIGPIPE, which must not reach a command that does not.
    piped = run(folder, "bash", "-c", "trap -p SIGPIPE; yes | head -1; echo ${PIPESTATUS[0]}")
    assert piped.stdout == "y\n141\n"


def test_it_becomes_the_command_with_its_process_number(folder: Path) -> None:
    with running(
        [*RUN, PYTHON, "-c", "import os, time; print(os.getpid()); time.sleep(60)"], cwd=folder
    ) as program:
        assert program.wait_for_output(f"{program.pid}\n")
        assert program.stop(signal.SIGTERM) == -signal.SIGTERM


def test_the_banner_comes_once_from_the_parent(folder: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', '']); print('done')"
    done = run(folder, PYTHON, "-c", code)
    name = os.path.basename(PYTHON)
    assert done.stderr == (
        f"apm-agent ▸ watching {name} · dashboard: apm-agent dashboard --store .apm-agent/apm.db · "
        "store .apm-agent/apm.db\n"
    )


def test_switched_off_it_only_becomes_the_command(folder: Path) -> None:
    code = "import sys; print('apm_agent' in sys.modules)"
    done = run(folder, PYTHON, "-c", code, APM_AGENT_ENABLED="off")
    assert done.stdout == "False\n"
    assert done.stderr == "apm-agent ▸ off, as APM_AGENT_ENABLED says: nothing is watched\n"


def test_a_sitecustomize_that_was_there_still_runs(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import sys; sys.was_here = __file__")
    code = (
        "import sys, sitecustomize; print(sys.was_here == sitecustomize.__file__, 'apm_agent' in sys.modules)"
    )
    done = run(folder, PYTHON, "-c", code, PYTHONPATH=str(other))
    assert done.stdout == "True True\n"


def test_a_sitecustomize_that_fails_is_told_as_ever_and_does_not_stop_us(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("raise RuntimeError('theirs')")
    done = run(folder, PYTHON, "-c", "import sys; print('apm_agent' in sys.modules)", PYTHONPATH=str(other))
    assert done.stdout == "True\n"
    assert "RuntimeError: theirs" in done.stderr


def test_a_python_without_us_is_told_once(folder: Path) -> None:
    bare = folder / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', '']); print('served')"
    done = run(folder, str(bare / "bin" / "python"), "-c", code)
    assert done.stdout == "served\n"
    assert done.stderr.count("nothing is watched") == 1
    assert f"{bare}/bin/python -m pip install apm-agent" in done.stderr


# R7: the end.


@pytest.mark.parametrize("transactions", [0, 1])
@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "threading.Thread(target=sys.exit).start()"])
def test_r07_a_script_ends_quietly(folder: Path, transactions: int, ending: str) -> None:
    (folder / "job.py").write_text(
        "import sys, threading, apm_agent\n"
        "@apm_agent.background_transaction('job')\n"
        "def job(): pass\n"
        f"for _ in range({transactions}): job()\n" + ending
    )
    done = run(folder, PYTHON, "job.py")
    assert done.returncode == 0
    assert (done.stdout, said(done.stderr)) == ("", [])
    if transactions:
        assert "# job" in why(folder, "job").stdout


def test_r07_a_script_ends_on_sigterm(folder: Path) -> None:
    code = "import apm_agent, time\nwith apm_agent.background_transaction('job'): print('in'); time.sleep(60)"
    with running([*RUN, PYTHON, "-c", code], cwd=folder) as program:
        program.wait_for_output("in\n")
        assert program.stop(signal.SIGTERM, patience=5) == -signal.SIGTERM
        assert said(program.output) == ["in"]


# R30: whatever is started is watched.

SERVERS = {
    "gunicorn": [script("gunicorn"), "--workers", "2", "--bind", "127.0.0.1:{port}", "shop:app"],
    "gunicorn gthread preload": [
        script("gunicorn"), "--workers", "2", "--threads", "2", "--preload",
        "--bind", "127.0.0.1:{port}", "shop:app",
    ],
    "gunicorn gevent": [
        script("gunicorn"), "--worker-class", "gevent", "--workers", "2", "--bind", "127.0.0.1:{port}", "shop:app",
    ],
    "waitress": [script("waitress-serve"), "--listen", "127.0.0.1:{port}", "shop:app"],
    "granian workers": [
        script("granian"), "--interface", "asgi", "--workers", "2", "--port", "{port}", "feed:app",
    ],
    "granian wsgi": [script("granian"), "--interface", "wsgi", "--port", "{port}", "shop:app"],
    "uvicorn": [script("uvicorn"), "--port", "{port}", "feed:app"],
    "uvicorn workers": [script("uvicorn"), "--workers", "2", "--port", "{port}", "feed:app"],
    "uvicorn reload": [script("uvicorn"), "--reload", "--port", "{port}", "feed:app"],
    "hypercorn": [script("hypercorn"), "--workers", "2", "--bind", "127.0.0.1:{port}", "feed:app"],
    "daphne": [script("daphne"), "--bind", "127.0.0.1", "--port", "{port}", "feed:app"],
    "hypercorn reload": [script("hypercorn"), "--reload", "--bind", "127.0.0.1:{port}", "feed:app"],
    "flask run": [script("flask"), "--app", "shop", "run", "--port", "{port}"],
    "flask debug": [script("flask"), "--app", "shop", "run", "--debug", "--port", "{port}"],
    "runserver": [PYTHON, "manage.py", "runserver", "{port}"],
    "runserver noreload": [PYTHON, "manage.py", "runserver", "--noreload", "{port}"],
    "script": [PYTHON, "serve.py", "{port}"],
}  # fmt: skip


@pytest.mark.server
@pytest.mark.parametrize("server", SERVERS)
def test_r30_every_server_and_its_children_are_watched_with_no_edit(server: str, folder: Path) -> None:
    port = free_port()
    command = [part.format(port=port) for part in SERVERS[server]]
    with running([*RUN, *command], port=port, cwd=folder) as program:
        for _ in range(4):
            urllib.request.urlopen(f"{program.url}/orders", timeout=20).read()
        # A signal that kills a process outright leaves it no time to write, so they are waited for.
        assert calls(folder, "GET /orders", 4) == 4, program.output
        assert "Traceback" not in program.output, program.output


@pytest.mark.server
@pytest.mark.parametrize("server", ["gunicorn", "uvicorn", "uvicorn workers", "uvicorn reload"])
def test_r25_what_was_served_is_written_when_a_server_is_told_to_end(server: str, folder: Path) -> None:
    port = free_port()
    command = [part.format(port=port) for part in SERVERS[server]]
    with running([*RUN, *command], port=port, cwd=folder) as program:
        for _ in range(4):
            urllib.request.urlopen(f"{program.url}/orders", timeout=20).read()
        program.stop()
    assert calls(folder, "GET /orders", 4) == 4, program.output


@pytest.mark.server
def test_r25_nothing_is_lost_when_every_worker_serves_one_request(folder: Path) -> None:
    port = free_port()
    command = [script("gunicorn"), "--max-requests", "1", "--bind", f"127.0.0.1:{port}", "shop:app"]
    with running([*RUN, *command], port=port, cwd=folder) as program:
        for _ in range(5):
            urllib.request.urlopen(f"{program.url}/orders", timeout=20).read()
        assert calls(folder, "GET /orders", 5) == 5, program.output


def test_r30_tests_under_pytest_are_watched(folder: Path) -> None:
    (folder / "test_shop.py").write_text(
        "from shop import app\ndef test_orders(): assert app.test_client().get('/orders').json == 50\n"
    )
    done = run(folder, PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shop.py")
    assert done.returncode == 0, done.stdout
    assert f"shop.py:{N1}" in why(folder, "GET /orders").stdout


@pytest.mark.server
def test_an_app_that_installs_us_itself_is_counted_once(folder: Path) -> None:
    shop = folder / "shop.py"
    shop.write_text(f"{FLASK}\nfrom apm_agent.integrations.flask import init_app\ninit_app(app)\n")
    port = free_port()
    with running([*RUN, PYTHON, "serve.py", str(port)], port=port, cwd=folder) as program:
        urllib.request.urlopen(f"{program.url}/orders", timeout=20).read()
        urllib.request.urlopen(f"{program.url}/orders", timeout=20).read()
        assert calls(folder, "GET /orders", 2) == 2


# The dashboard beside, and the line for what is slow.


@pytest.mark.server
def test_the_dashboard_beside_answers_and_ends_with_the_command(folder: Path) -> None:
    port = free_port()
    command = [PYTHON, "-m", "apm_agent", "run", "--slow", "1ms", script("gunicorn"), "--workers", "2"]
    with running([*command, "--bind", f"127.0.0.1:{port}", "shop:app"], port=port, cwd=folder) as program:
        match = re.search(r"dashboard (http://127\.0\.0\.1:\d+)", program.wait_for_output("dashboard http"))
        assert match is not None
        dashboard = match[1]
        for _ in range(20):  # the first of each worker is busy with other things
            urllib.request.urlopen(f"{program.url}/orders", timeout=20).read()
        found = ask_until(dashboard, "endpoints", lambda answer: answer["total"]["count"] == 20)
        assert [row["where"] for row in found["endpoints"]] == [f"shop.py:{N1}"]
        printed = program.wait_for_output("▸ GET /orders ")
        line = next(line for line in reversed(printed.splitlines()) if "▸ GET /orders" in line)
        cause = rf"50× SELECT customer … shop\.py:{N1} \(\d+ %\)"
        link = re.fullmatch(
            rf"apm-agent ▸ GET /orders \d+ ms · {cause} → ({dashboard}/trace\?id=(\w+))", line
        )
        assert link is not None, line
        assert ask(dashboard, "trace", id=link[2])["trace"]["name"] == "GET /orders"
        assert b"<html" in urllib.request.urlopen(link[1], timeout=20).read()
        children = psutil_children(program.pid)
        assert not [child for child in children if "dashboard" in child], children
        program.stop()
    assert ends(dashboard), "it must end when the last process that the command started has ended"


def ends(url: str) -> bool:
    """Whether nobody answers there any more, within a few seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            pass
        except OSError:
            return True
        time.sleep(0.05)
    return False


def psutil_children(pid: int) -> list[str]:
    import psutil

    return [" ".join(child.cmdline()) for child in psutil.Process(pid).children(recursive=True)]


def test_r33_the_agent_opens_no_socket(folder: Path) -> None:
    (folder / "job.py").write_text(
        "import sys, apm_agent\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, _: opened.append(event) if event.startswith('socket.') else None)\n"
        "with apm_agent.background_transaction('job'): pass\n"
        "assert apm_agent.flush(10)\n"
        "print(opened)\n"
    )
    assert run(folder, PYTHON, "job.py").stdout == "[]\n"
