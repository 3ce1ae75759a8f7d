"""The example apps under their real servers, called for a while: the store they leave, and the planted faults."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from servers import EXAMPLES, PYTHON, environment, free_port, gunicorn, running, uvicorn

SECONDS = 15
RATES = {"shop": 6, "feed": 5, "notes": 5}


class Fault(NamedTuple):
    """A line with a planted fault, and the endpoint it makes slow."""

    file: str
    line: int
    kind: str
    service: str = ""
    endpoint: str = ""
    endpoint_kind: str = "web"


#: (file, kind) of a marker → service, endpoint and its kind.
ENDPOINTS = {
    ("shop.py", "repeated_query"): ("shop", "GET /orders", "web"),
    ("shop.py", "slow_template"): ("shop", "GET /report", "web"),
    ("shop.py", "hot_line"): ("shop", "GET /products/<int:product_id>/price", "web"),
    ("shop.py", "memory_growth"): ("shop", "GET /recommended", "web"),
    ("shop.py", "failure"): ("shop", "GET /checkout/<int:order_id>", "web"),
    ("feed.py", "hot_line"): ("feed", "GET /ranking", "web"),
    ("feed.py", "blocked_loop"): ("feed", "GET /digest", "web"),
    ("feed.py", "slow_upstream"): ("feed", "GET /weather/{city}", "web"),
    ("notes/views.py", "repeated_query"): ("notes", "GET /authors/", "web"),
    ("notes/views.py", "slow_template"): ("notes", "GET /calendar/", "web"),
    ("jobs.py", "repeated_query"): ("jobs", "nightly invoices", "background"),
    ("jobs.py", "hot_line"): ("jobs", "rebuild index", "background"),
}


def planted() -> list[Fault]:
    """Every `# planted: <kind>` of the example apps."""
    found = []
    for path in sorted(EXAMPLES.rglob("*.py")):
        file = path.relative_to(EXAMPLES).as_posix()
        for number, text in enumerate(path.read_text().splitlines(), 1):
            if match := re.search(r"# planted: (\w+)", text):
                found.append(Fault(file, number, match[1], *ENDPOINTS.get((file, match[1]), ())))
    return found


FAULTS = planted()


class Apps(NamedTuple):
    """Base URLs of the running apps."""

    shop: str
    feed: str
    notes: str


def start(stack: ExitStack, folder: Path, **variables: str) -> Apps:
    """All apps under their real servers, until the stack is closed."""
    ports = {name: free_port() for name in ("shop", "feed", "notes", "upstream")}
    env = environment(
        PYTHONHASHSEED="0",  # Werkzeug's Allow header lists a set
        EXAMPLE_DATA=str(folder),
        FEED_UPSTREAM=f"http://127.0.0.1:{ports['upstream']}",
        **variables,
    )
    subprocess.run(
        [PYTHON, "manage.py", "seed"], cwd=EXAMPLES, env={**env, "APM_AGENT_ENABLED": "off"}, check=True
    )
    commands = {
        "upstream": [PYTHON, "upstream.py", str(ports["upstream"])],
        "shop": gunicorn("shop:app", ports["shop"]),
        "feed": uvicorn("feed:app", ports["feed"]),
        "notes": gunicorn("notes.wsgi", ports["notes"]),
    }
    urls = {}
    for name, command in commands.items():
        given = {**env, "APM_AGENT_SERVICE": name} if "EXAMPLE_BARE" not in variables else env
        urls[name] = stack.enter_context(running(command, port=ports[name], env=given, cwd=EXAMPLES)).url
    del urls["upstream"]
    return Apps(**urls)


@pytest.fixture(scope="session")
def demo_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What all apps and jobs left after they were called for a while; asked with `range=24h`, at any later time.

    One for all processes of a run, made by the first that asks: nobody writes to it any more.
    """
    import fcntl

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    made = shared / "demo_store"
    with open(shared / "demo_store.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.write_text(_fill(tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("watched")))
    return made.read_text()


def _fill(folder: Path, watched: Path) -> str:
    """Start everything, call it, and stop it; gives the store."""
    store = f"sqlite:///{folder}/apm.db"
    with ExitStack() as stack:
        apps = start(stack, watched, APM_AGENT_STORE=store)
        load = [
            subprocess.Popen(
                [PYTHON, "load.py", name, url, "--rate", str(RATES[name]), "--seconds", str(SECONDS)],
                cwd=EXAMPLES, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            for name, url in apps._asdict().items()
        ]  # fmt: skip
        env = environment(APM_AGENT_STORE=store, APM_AGENT_SERVICE="jobs")
        subprocess.run(
            [PYTHON, "jobs.py", "--rounds", "5", "--pause", "0.5"], cwd=EXAMPLES, env=env, check=True
        )
        for process in load:
            printed, _ = process.communicate(timeout=SECONDS + 60)
            assert process.returncode == 0, printed
    # Stopped: each worker wrote what it had as it ended.
    return store
