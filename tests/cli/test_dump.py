"""`apm-agent dump`: what hangs is seen within seconds, with its line, on real servers."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from hanging import SOURCES, line_of, served, visit
from servers import PYTHON, environment

pytestmark = pytest.mark.server


def dump(store: Path, *options: str) -> str:
    done = subprocess.run(
        [PYTHON, "-m", "apm_agent", "dump", "--store", str(store), *options],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", list(SOURCES))
def test_a_stuck_request_is_seen_with_its_line(kind: str, tmp_path: Path) -> None:
    with served(tmp_path, kind) as program:
        visit(f"{program.url}/stuck")  # the very first request: nothing has been written yet
        text, deadline = "", time.monotonic() + 20
        while "GET /stuck" not in text and time.monotonic() < deadline:
            time.sleep(0.1)
            if (tmp_path / "apm.db").exists():
                text = dump(tmp_path / "apm.db")
        assert "GET /stuck" in text, program.output
        assert f"stuck (hanging.py:{line_of(SOURCES[kind])})" in text
        began = time.monotonic()
        (row,) = json.loads(dump(tmp_path / "apm.db", "--json"))["in_flight"]
        took = time.monotonic() - began
    assert (row["name"], row["service"], row["state"]) == ("GET /stuck", "shop", "waiting")
    frame = next(frame for frame in reversed(row["stack"]) if frame["file"] == "hanging.py")
    assert (frame["function"], frame["line"]) == ("stuck", line_of(SOURCES[kind]))
    assert took < 20  # it is under three seconds on a machine that does nothing else


def test_every_worker_is_asked(tmp_path: Path) -> None:
    with served(tmp_path, "gunicorn") as program:
        found: set[int] = set()
        deadline = time.monotonic() + 30
        while len(found) < 2 and time.monotonic() < deadline:
            for _ in range(3):
                visit(f"{program.url}/stuck")
            time.sleep(0.5)
            rows = json.loads(dump(tmp_path / "apm.db", "--json"))["in_flight"]
            found = {row["pid"] for row in rows}
        assert len(found) == 2


def test_nothing_in_flight(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    assert "none has anything in flight" in dump(tmp_path / "store" / "apm.db")


def test_hostile_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    from apm_agent.cli.dump import _transaction

    frame = {"function": "f\x1b[2J", "file": "x\n.py", "line": 1, "category": "app"}
    row = {
        "name": "GET /\x1b]0;x\x07", "age_ms": 5.0, "p95_ms": 3.0, "state": "db",
        "span": {"kind": "db", "name": "SELECT \u202e", "age_ms": 4.0}, "path": "/\r", "thread": "t\x1b[1m",
        "task": "a\x9b", "stack_state": "waiting", "stack": [frame], "cut": 3, "also": [],
    }  # fmt: skip
    text = "".join(_transaction(row))
    assert not set(text) & set("\x1b\x07\r\n\x9b\u202e")
    assert "p95 3.0 ms" in text
    assert "3 more" in text
