"""Armed on real servers under load: exactly n arrive, every answer is what it was, and nothing is said."""

from __future__ import annotations

import json
import pstats
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from apm_agent.queries.callgraph import of_window
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.scope import scope_of
from apm_agent.queries.trace import trace
from apm_agent.queries.window import of_range
from records import rows
from servers import PYTHON, ROOT, Program, environment, free_port, running, script, uvicorn

pytestmark = pytest.mark.server

APP = """
import sqlite3
import time
from flask import Flask
from apm_agent.integrations.flask import init_app

app = Flask("orders")
init_app(app, service="shop", dashboard_path="/apm")

def price(count):
    total = 0
    for number in range(count):
        total += number * number
    return total

KEPT = []

@app.get("/orders")
def orders():
    until = time.thread_time() + 0.012
    while time.thread_time() < until:
        price(200)
    KEPT.append(bytearray(50_000))
    return {"total": price(2_000)}

@app.get("/export")
def export():
    held = bytearray(80_000_000)
    until = time.monotonic() + 0.6
    while time.monotonic() < until:
        price(2_000)
    return {"bytes": len(held)}

@app.get("/item/<int:id>")
def item(id):
    return {"id": id, "total": price(100)}
"""
ASYNC_APP = """
import asyncio
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
import apm_agent

async def fetch(number):
    await asyncio.sleep(0.001)
    return number * 2

async def feed(request):
    return JSONResponse([await fetch(number) for number in range(3)])

app = apm_agent.asgi(Starlette(routes=[Route("/feed/{id}", feed)]), service="feed")
"""
JOBS = """
import time
import apm_agent

apm_agent.install(service="jobs")

@apm_agent.profile_lines
def total(count):
    result = 0
    for number in range(count):
        result += number
    return result

@apm_agent.background_transaction("nightly")
def nightly():
    return total(3)

@apm_agent.background_transaction("hourly")
def hourly():
    return total(4)

while True:
    nightly()
    hourly()
    time.sleep(0.01)
"""
WORKERS = 4
PATHS = ("/orders", "/item/3", "/item/4", "/nothing")


class Load:
    """Four clients that ask for every path in turn; all that came back, by path, once each."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.answers: dict[str, set[Any]] = {path: set() for path in PATHS}
        self.over = threading.Event()
        self.errors: list[BaseException] = []

    def ask(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(self.base + path, timeout=30) as answer:
                return answer.status, _constant(answer.headers.items()), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _constant(error.headers.items()), error.read()

    def run(self) -> None:
        try:
            while not self.over.is_set():
                for path in PATHS:
                    self.answers[path].add(self.ask(path))
        except BaseException as error:
            self.errors.append(error)
            raise


def _constant(headers: Any) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers if name != "Date")


@contextmanager
def load(base: str) -> Iterator[Load]:
    clients = Load(base)
    threads = [threading.Thread(target=clients.run) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        clients.over.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Program]:
    (tmp_path / "orders.py").write_text(APP)
    port = free_port()
    command = [
        script("gunicorn"), "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}", "--log-level", "warning",
        "orders:app",
    ]  # fmt: skip
    env = environment(PYTHONPATH=str(ROOT), PYTHONWARNINGS="error", APM_AGENT_SAMPLE_INTERVAL="5ms")
    with running(command, port=port, env=env, cwd=tmp_path) as program:
        yield program


def until(enough: Any, patience: float = 30.0) -> Any:
    deadline = time.monotonic() + patience
    while not (found := enough()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def arm(cwd: Path, *arguments: str) -> Any:
    done = subprocess.run(
        [PYTHON, "-m", "apm_agent", "arm", *arguments, "--json"],
        cwd=cwd, env=environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def count(cwd: Path, where: str = "1") -> int:
    path = cwd / ".apm-agent" / "apm.db"
    if not path.exists() or not rows(path, "SELECT 1 FROM sqlite_master WHERE name = 'transactions'"):
        return 0
    found: int = rows(path, f"SELECT count(*) FROM transactions WHERE {where}")[0][0]
    return found


def arrived(cwd: Path, arm_id: str) -> bool:
    return any(each["id"] == arm_id and each["state"] == "done" for each in arm(cwd, "--list")["arms"])


def trace_of(base: str, number: int) -> Any:
    with urllib.request.urlopen(f"{base}/apm/api/v1/trace?id={number:016x}", timeout=30) as answer:
        return json.load(answer)


def test_exactly_n_of_four_workers_and_nobody_notices(shop: Program, tmp_path: Path) -> None:
    before = Load(shop.url)
    for path in PATHS:
        before.answers[path] = {before.ask(path)}
    store = tmp_path / ".apm-agent" / "apm.db"
    assert until(lambda: count(tmp_path))
    with load(shop.url) as clients:
        asked = time.time()
        made = arm(tmp_path, "GET /orders", "--cprofile", "-n", "7", "--service", "shop")
        assert until(lambda: arrived(tmp_path, made["id"]))
        assert until(lambda: count(tmp_path, "kept = 'captured'") == 7)
        # Well after the last one every worker has heard that it is over.
        seen = count(tmp_path)
        assert until(lambda: count(tmp_path) > seen + 400)
    assert clients.errors == []
    assert clients.answers == before.answers
    assert count(tmp_path, "kept = 'captured'") == 7
    found = rows(
        store,
        "SELECT t.id, t.started_at, e.name FROM transactions t JOIN endpoints e ON e.id = endpoint_id"
        " WHERE kept = 'captured' ORDER BY t.id",
    )
    assert {name for _, _, name in found} == {"GET /orders"}
    assert min(started for _, started, _ in found) < (asked + 20) * 1e9
    graph = trace_of(shop.url, found[0][0])
    assert graph["captured"] == {"capture": "cprofile", "arm": made["id"]}
    assert {"orders", "price"} <= {row["function"] for row in graph["callgraph"]["functions"]}
    merged = tmp_path / "merged.pstats"
    question = "profile?name=GET%20/orders&range=15m&format=pstats&source=callgraph"
    with urllib.request.urlopen(f"{shop.url}/apm/api/v1/{question}", timeout=30) as answer:
        merged.write_bytes(answer.read())
    stats: Any = pstats.Stats(str(merged))
    calls = {name: each[1] for (_, _, name), each in stats.stats.items()}
    assert calls["orders"] == 7, "one call in each of seven requests, of four processes"
    assert shop.output == ""


def test_through_the_api_from_our_own_pages_only(shop: Program, tmp_path: Path) -> None:
    Load(shop.url).ask("/orders")
    assert until(lambda: count(tmp_path))
    wish = json.dumps({"endpoint": "GET /orders", "capture": "cprofile", "count": 2}).encode()

    def post(**headers: str) -> Any:
        request = urllib.request.Request(
            f"{shop.url}/apm/api/v1/arms", wish, {"Content-Type": "application/json", **headers}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["arm"]

    with pytest.raises(urllib.error.HTTPError) as refused:
        post(Origin="https://elsewhere.example")
    refused.value.close()
    assert refused.value.code == 403
    made = post(Origin=shop.url)
    with load(shop.url):
        assert until(lambda: arrived(tmp_path, made["id"]))
        assert until(lambda: count(tmp_path, "kept = 'captured'") == 2)
    with urllib.request.urlopen(f"{shop.url}/apm/api/v1/arms", timeout=30) as answer:
        [row] = json.load(answer)["arms"]
    assert (row["id"], row["done"], row["state"]) == (made["id"], 2, "done")
    assert shop.output == ""


def test_on_an_event_loop(tmp_path: Path) -> None:
    (tmp_path / "feed.py").write_text(ASYNC_APP)
    port = free_port()
    env = environment(PYTHONPATH=str(ROOT), PYTHONWARNINGS="error")
    command = uvicorn("feed:app", port, "--log-level", "warning")
    with running(command, port=port, env=env, cwd=tmp_path) as feed:
        asked = 0

        def ask() -> bytes:
            nonlocal asked
            asked += 1
            with urllib.request.urlopen(f"{feed.url}/feed/{asked}", timeout=30) as answer:
                body: bytes = answer.read()
            assert body == b"[0,2,4]"
            return body

        assert until(lambda: ask() and count(tmp_path))
        made = arm(tmp_path, "GET /feed/{id}", "-n", "3")
        assert until(lambda: ask() and count(tmp_path, "kept = 'captured'") == 3)
        assert arrived(tmp_path, made["id"])
        assert feed.output == ""
    store = f"sqlite:///{tmp_path}/.apm-agent/apm.db"
    with connect(store) as connection:
        found = callgraph(connection)
    calls = {node.function: call.calls for node, call in found.callgraph.functions.items()}
    assert found.transactions == 3
    assert calls["fetch"] == 3 * 3 * 2, "each is called, and resumed once"


def test_a_job_by_its_name_and_decorated_lines_in_each(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(JOBS)
    env = environment(PYTHONPATH=str(ROOT), PYTHONWARNINGS="error")
    with running([PYTHON, "jobs.py"], env=env, cwd=tmp_path) as jobs:
        assert until(lambda: count(tmp_path))
        arm(tmp_path, "nightly", "-n", "4")
        assert until(lambda: count(tmp_path, "kept = 'captured'") == 4)
        assert jobs.output == ""
    names = rows(
        tmp_path / ".apm-agent" / "apm.db",
        "SELECT DISTINCT e.name FROM transactions t JOIN endpoints e ON e.id = endpoint_id WHERE kept = 'captured'",
    )
    assert names == [("nightly",)]
    with connect(f"sqlite:///{tmp_path}/.apm-agent/apm.db") as connection:
        for name, times in (("nightly", 3), ("hourly", 4)):
            [[number]] = connection.rows(
                "SELECT max(t.id) FROM transactions t JOIN endpoints e ON e.id = endpoint_id"
                " WHERE e.name = ? AND kept IN ('first', 'uniform')",
                (name,),
            )
            found = trace(connection, number)
            assert found is not None
            [timed] = found["lines"]
            assert [line["hits"] for line in timed["lines"] if line["hits"]] == [1, times + 1, times, 1]


def callgraph(connection: Connection) -> Any:
    """All that was measured, merged."""
    return of_window(connection, of_range("15m"), list(scope_of(connection).endpoints))


def captured_of(shop: Program, cwd: Path, flag: str, wanted: int) -> list[Any]:
    """Arm from the command line under load; the traces that arrived."""
    Load(shop.url).ask("/orders")
    assert until(lambda: count(cwd))
    found: list[Any] = []

    def came() -> bool:
        known = rows(
            cwd / ".apm-agent" / "apm.db", "SELECT id FROM transactions WHERE kept = 'captured' ORDER BY id"
        )
        traces = [trace_of(shop.url, number) for (number,) in known]
        found[:] = [each for each in traces if each["captured"]["arm"] == made["id"]]
        return len(found) == wanted

    with load(shop.url) as clients:
        made = until(lambda: try_to_arm(cwd, flag, wanted))
        assert until(lambda: arrived(cwd, made["id"])), shop.output
        assert until(came)
    assert clients.errors == []
    return found


def try_to_arm(cwd: Path, flag: str, wanted: int) -> Any:
    """Line timings are of functions that were sampled; until the one we look for was, try again."""
    done = subprocess.run(
        [PYTHON, "-m", "apm_agent", "arm", "GET /orders", flag, "-n", str(wanted), "--json"],
        cwd=cwd, env=environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode:
        return None
    made = json.loads(done.stdout)
    if flag == "--lines" and "price" not in [each["function"] for each in made["functions"]]:
        arm(cwd, "--cancel", made["id"])
        return None
    return made


def test_memory_through_the_front_door(shop: Program, tmp_path: Path) -> None:
    leak = next(number for number, line in enumerate(APP.splitlines(), 1) if "KEPT.append" in line)
    for found in captured_of(shop, tmp_path, "--memory", 2):
        assert found["captured"]["capture"] == "memory"
        memory = found["memory_capture"]
        largest = memory["lines"][0]
        assert (largest["file"], largest["line"], largest["category"]) == ("orders.py", leak, "app")
        assert largest["kb"] >= 48
        assert memory["exclusive"] is True, "a sync worker serves one at a time"
        assert found["trace"]["rss"]["delta_kb"] is None
    assert shop.output == ""


def test_line_timings_through_the_front_door(shop: Program, tmp_path: Path) -> None:
    for found in captured_of(shop, tmp_path, "--lines", 2):
        assert found["captured"]["capture"] == "lines"
        timed = {each["function"]: each for each in found["lines"]}
        price = timed["price"]
        assert (price["file"], price["category"]) == ("orders.py", "app")
        begin, loop, body, *_ = (line for line in price["lines"] if line["hits"])
        assert loop["text"].strip() == "for number in range(count):"
        calls = begin["hits"]
        # 200 numbers a call but for the last, which has 2,000.
        assert body["hits"] == 200 * (calls - 1) + 2_000
        assert loop["hits"] == body["hits"] + calls
        assert price["total_ms"] > 0
    assert shop.output == ""


def test_the_peak_inside_a_request_is_shown(shop: Program, tmp_path: Path) -> None:
    calls = 3
    for _ in range(calls):
        assert Load(shop.url).ask("/export")[0] == 200
    slow = "kept = 'slow'"
    assert until(lambda: count(tmp_path, slow) == calls)
    given_back = []
    for (number,) in rows(tmp_path / ".apm-agent" / "apm.db", f"SELECT id FROM transactions WHERE {slow}"):
        found = trace_of(shop.url, number)
        rss = found["trace"]["rss"]
        assert rss["peak_kb"] >= rss["before_kb"] + 75_000
        sizes = [size for _, size in found["rss_curve"]]
        assert max(sizes) >= rss["before_kb"] + 75_000
        assert max(*sizes, rss["before_kb"], rss["after_kb"]) == rss["peak_kb"]
        given_back.append(rss["after_kb"] < rss["before_kb"] + 20_000)
    # A look that is thrown out in its middle keeps what the function held for a moment after that returned, and the
    # size afterwards is then as it was measured.
    assert any(given_back)
    assert shop.output == ""
