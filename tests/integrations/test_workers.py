"""Every kind of worker: what keeps the processor busy is seen on the request that did it, among others at once."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections import defaultdict
from pathlib import Path

import pytest

from apm_agent.queries.connection import connect
from apm_agent.queries.profile import by_endpoint
from apm_agent.queries.window import of_range
from servers import environment, free_port, gunicorn, running, uvicorn

pytestmark = pytest.mark.server

COLOURS = ("red", "green", "blue", "grey")
REQUESTS = 12
BURSTS = 8
BURST = 0.008

#: One busy function an endpoint, which gives way to others between its bursts.
BUSY = "import time\n" + "".join(
    f"""
def {colour}():
    until = time.thread_time() + {BURST}
    while time.thread_time() < until:
        total = 0
        for number in range(200):
            total += number * number
"""
    for colour in COLOURS
)
WSGI = f"""
import time
import apm_agent
import busy

def app(environ, start_response):
    work = getattr(busy, environ["PATH_INFO"][1:], None)
    for _ in range({BURSTS} if work else 0):
        work()
        time.sleep(0.002)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]

app = apm_agent.wsgi(app, service="colours")
"""
ASGI = f"""
import asyncio
import time
import apm_agent
import busy
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

def endpoint(work):
    async def view(request):
        for _ in range({BURSTS}):
            work()
            await asyncio.sleep(0.002)
        return PlainTextResponse("done")
    return view

def threaded(work):
    def view(request):
        for _ in range({BURSTS}):
            work()
            time.sleep(0.002)
        return PlainTextResponse("done")
    return view

def routes(made):
    return [Route("/" + name, made(getattr(busy, name))) for name in {COLOURS!r}]

app = apm_agent.asgi(Starlette(routes=routes(endpoint)), service="colours")
threads = apm_agent.asgi(Starlette(routes=routes(threaded)), service="colours")
"""
_UVICORN_WORKER = "uvicorn.workers.UvicornWorker"
COMMANDS = {
    "sync": lambda port: gunicorn("wsgi:app", port, "--worker-class", "sync"),
    "gthread": lambda port: gunicorn("wsgi:app", port),
    "gevent": lambda port: gunicorn("wsgi:app", port, "--worker-class", "gevent"),
    "uvicorn": lambda port: uvicorn("asgi:app", port, "--workers", "2"),
    "uvicorn, endpoints in threads": lambda port: uvicorn("asgi:threads", port, "--workers", "2"),
    "gunicorn with uvicorn's worker": lambda port: gunicorn("asgi:app", port, "--worker-class", _UVICORN_WORKER),
}  # fmt: skip


def visit(url: str) -> None:
    """Every colour by two clients, all at once."""
    errors: list[BaseException] = []

    def ask(colour: str) -> None:
        try:
            for _ in range(REQUESTS // 2):
                with urllib.request.urlopen(f"{url}/{colour}", timeout=60) as answer:
                    assert answer.read() == b"done"
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=ask, args=(colour,)) for colour in COLOURS * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize("worker", COMMANDS)
def test_a_busy_function_lands_on_its_own_request(worker: str, tmp_path: Path) -> None:
    for name, source in (("busy", BUSY), ("wsgi", WSGI), ("asgi", ASGI)):
        (tmp_path / f"{name}.py").write_text(source)
    store = f"sqlite:///{tmp_path}/apm.db"
    # A slow machine's looks cost more, and would become too few within 1 % for a share to be told.
    env = environment(APM_AGENT_STORE=store, APM_AGENT_SAMPLER_BUDGET="0.1", PYTHONPATH=str(tmp_path))
    port = free_port()
    with running(COMMANDS[worker](port), port=port, env=env, cwd=tmp_path) as program:
        visit(program.url)
    # Stopped: each worker wrote what it had as it ended.
    seen: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COLOURS, 0))
    with connect(store) as connection:
        names = dict(connection.rows("SELECT id, name FROM endpoints"))
        window = of_range("15m", now=time.time() + 1)
        counted = dict(connection.rows("SELECT endpoint_id, count(*) FROM transactions GROUP BY endpoint_id"))
        for number, stacks in by_endpoint(connection, window, names, None).items():
            for weighed in stacks:
                for frame in weighed.stack:
                    if frame.function in COLOURS:
                        seen[names[number]][frame.function] += weighed.weight_ns
    wanted = {f"GET /{colour}": REQUESTS for colour in COLOURS}
    assert {names[number]: count for number, count in counted.items()} == wanted
    whole = sum(sum(found.values()) for found in seen.values())
    right = {colour: seen[f"GET /{colour}"][colour] for colour in COLOURS}
    assert sum(right.values()) >= 0.95 * whole, dict(seen)
    # Seen at all: at least half of the processor time that is known to have been spent.
    assert min(right.values()) >= 0.5 * REQUESTS * BURSTS * BURST * 1e9, dict(seen)
