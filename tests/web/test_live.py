"""What is in flight over the API: asked for by POST, read by GET."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from apm_agent.web.app import dashboard
from make_store import make
from servers import PYTHON, environment, running

BASE = {"REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1"}

STUCK = """
import sys, time
import apm_agent
apm_agent.install(store=sys.argv[1], service="shop")

@apm_agent.background_transaction("nightly")
def nightly():
    time.sleep(60)  # stuck

@apm_agent.background_transaction("busy")
def busy():
    until = time.monotonic() + 60
    while time.monotonic() < until:
        sum(range(500))  # at work

{"nightly": nightly, "busy": busy}[sys.argv[2]]()
"""
LINE = next(number for number, line in enumerate(STUCK.splitlines(), 1) if "# stuck" in line)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "apm.db"
    make(path, 300)
    return path


@pytest.fixture
def client(store: Path) -> Client:
    return Client(dashboard(f"sqlite:///{store}"))


def test_r40_only_a_post_asks(client: Client, store: Path) -> None:
    assert client.get("/api/v1/live", environ_base=BASE).get_json()["asked_until"] is None
    assert not (store.parent / "live").exists()
    made = client.post("/api/v1/live", json={}, environ_base=BASE).get_json()
    assert made["asked_until"] > time.time()
    assert client.get("/api/v1/live", environ_base=BASE).get_json()["asked_until"] is not None


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_r40_a_foreign_page_asks_nothing(headers: dict[str, str], client: Client, store: Path) -> None:
    assert client.post("/api/v1/live", json={}, headers=headers, environ_base=BASE).status_code == 403
    assert not (store.parent / "live").exists()


def test_r38_a_stranger_asks_nothing(client: Client, store: Path) -> None:
    for base in ({**BASE, "REMOTE_ADDR": "203.0.113.9"}, {**BASE, "HTTP_X_FORWARDED_FOR": "127.0.0.1"}):
        assert client.post("/api/v1/live", json={}, environ_base=base).status_code == 403
    assert not (store.parent / "live").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_said(client: Client, store: Path) -> None:
    store.parent.chmod(0o500)
    try:
        answer = client.post("/api/v1/live", json={}, environ_base=BASE)
    finally:
        store.parent.chmod(0o700)
    assert answer.status_code == 503
    assert "cannot ask what is in flight" in answer.get_json()["error"]["message"]


@pytest.mark.server
def test_a_stuck_job_of_another_process(client: Client, store: Path, tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(STUCK)
    with running(
        [PYTHON, str(script), f"sqlite:///{store}", "nightly"], env=environment(), cwd=tmp_path
    ) as job:
        deadline = time.monotonic() + 20
        found: list[dict[str, object]] = []
        while not found and time.monotonic() < deadline:
            client.post("/api/v1/live", json={}, environ_base=BASE)
            found = client.get("/api/v1/live", environ_base=BASE).get_json()["in_flight"]
        (row,) = found
        assert (row["name"], row["kind"], row["service"]) == ("nightly", "background", "shop")
        assert (row["pid"], row["state"], row["thread"]) == (job.pid, "waiting", "MainThread")
        stack = row["stack"]
        assert isinstance(stack, list)
        assert (stack[-1]["function"], stack[-1]["line"]) == ("nightly", LINE)


@pytest.mark.server
def test_a_capture_of_what_has_not_ended(client: Client, store: Path, tmp_path: Path) -> None:
    """Nothing of the job is in the store: it is still at work. What it does these seconds is told all the same."""
    script = tmp_path / "job.py"
    script.write_text(STUCK)
    with running([PYTHON, str(script), f"sqlite:///{store}", "busy"], env=environment(), cwd=tmp_path):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            client.post("/api/v1/live", json={}, environ_base=BASE)
            if client.get("/api/v1/live", environ_base=BASE).get_json()["in_flight"]:
                break
        asked = client.post("/api/v1/live", json={"capture": 1}, environ_base=BASE).get_json()["capture"]
        capture: dict[str, Any] = {"done": False}
        while not capture["done"] and time.monotonic() < deadline:
            client.post("/api/v1/live", json={}, environ_base=BASE)
            found = client.get(f"/api/v1/live?capture={asked['id']}", environ_base=BASE).get_json()
            capture = found["capture"]
    (process,) = capture["processes"]
    assert process["done"]
    profile = capture["profile"]
    assert "busy" in profile["frames"]["function"]
    # a second of one thread, give or take what the sampler was late
    assert 0.3e9 < profile["total_ns"] < 3e9


@pytest.mark.parametrize(
    "given", [{"capture": 99}, {"capture": 0}, {"capture": "5"}, {"capture": True}, {"length": 5}]
)
def test_r39_a_capture_there_cannot_be(given: dict[str, object], client: Client, store: Path) -> None:
    answer = client.post("/api/v1/live", json=given, environ_base=BASE)
    assert answer.status_code == 400
    assert not (store.parent / "live").exists()


def test_a_capture_nobody_asked_for(client: Client) -> None:
    answer = client.get("/api/v1/live?capture=00000000000000aa", environ_base=BASE)
    assert answer.status_code == 404
