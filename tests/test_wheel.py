"""The wheel in an environment of its own: what it holds, and that it finds a slow line with no edit."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

from api import ask_until
from servers import ROOT, environment, free_port, running

pytestmark = pytest.mark.server

APP = """
import sqlite3

connection = sqlite3.connect(":memory:")
connection.execute("CREATE TABLE customer (id INTEGER)")
connection.executemany("INSERT INTO customer VALUES (?)", [(number,) for number in range(5000)])

def app(environ, start_response):
    for number in range(50):
        connection.execute("SELECT id FROM customer WHERE id = ?", (number,)).fetchall()  # N+1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"orders"]
"""
N1 = next(n for n, line in enumerate(APP.splitlines(), 1) if line.endswith("# N+1"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(pip, check=True, env=environment(), capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    room = tmp_path_factory.mktemp("room")
    subprocess.run([sys.executable, "-m", "venv", str(room)], check=True)
    install = [str(room / "bin" / "pip"), "install", "--quiet", str(wheel), "gunicorn"]
    subprocess.run(install, check=True, env=environment(), capture_output=True)
    return room / "bin" / "python"


def test_its_top_level_is_apm_agent_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"apm_agent"}
    assert "apm_agent/py.typed" in names
    assert "apm_agent/web/static/manifest.json" in names
    assert "apm_agent/cli/boot/sitecustomize.py" in names
    assert "apm_agent/cli/example_apps/shop.py" in names
    assert not [name for name in names if name.endswith((".ts", ".tsx", ".pyc", ".db"))]


def test_it_brings_no_module_of_another_name(python: Path, tmp_path: Path) -> None:
    code = "import apm_agent\ntry: import dashboard\nexcept ImportError: print('not ours')\n"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "not ours\n"
    (tmp_path / "dashboard.py").write_text("mine = True")
    done = subprocess.run(
        [python, "-c", "import dashboard; print(dashboard.mine)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "True\n"


def test_an_app_with_no_edit_under_gunicorn_shows_its_slow_line(python: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    apm, port, shown = str(python.parent / "apm-agent"), free_port(), free_port()
    started = time.monotonic()
    # By its path, from an environment that is not active.
    command = [apm, "run", "--port", str(shown), "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    with running([*command, "shop:app"], port=port, cwd=tmp_path) as program:
        for _ in range(20):
            urllib.request.urlopen(program.url, timeout=20).read()
        enough = lambda answer: answer["total"]["count"] == 20  # noqa: E731
        found = ask_until(f"http://127.0.0.1:{shown}", "endpoints", enough)
        assert [row["where"] for row in found["endpoints"]] == [f"shop.py:{N1}"], program.output
    assert time.monotonic() - started < 60
    doctor = subprocess.run(
        [apm, "doctor"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert doctor.returncode == 0, doctor.stdout
    demo = subprocess.run(
        [apm, "demo"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert demo.returncode == 2
    assert "pip install 'apm-agent[demo]'" in demo.stderr
