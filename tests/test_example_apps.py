"""The example apps under their real servers: each planted fault is found with its line, no answer changes."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from api import ask, ask_until
from servers import EXAMPLES, PYTHON, environment, free_port, gunicorn, running, uvicorn

pytestmark = pytest.mark.server

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


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/apm.db"


@pytest.fixture(scope="module")
def dashboard(store: str) -> Iterator[str]:
    port = free_port()
    command = [PYTHON, "-m", "apm_agent", "dashboard", "--store", store, "--port", str(port), "--no-browser"]
    with running(command, port=port) as program:
        yield program.url


@pytest.fixture(scope="module")
def watched(store: str, dashboard: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The dashboard's URL, after all apps were called for a while and the jobs ran."""
    with ExitStack() as stack:
        apps = start(stack, tmp_path_factory.mktemp("watched"), APM_AGENT_STORE=store)
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
    return dashboard


def test_every_marker_belongs_to_an_endpoint() -> None:
    assert {(fault.file, fault.kind) for fault in FAULTS} == set(ENDPOINTS)
    assert len(FAULTS) == len(ENDPOINTS)


def test_every_call_of_every_app_was_counted(watched: str) -> None:
    rows = [
        row
        for kind in ("web", "background", "stream")
        for row in ask(watched, "endpoints", limit="1000", kind=kind)["endpoints"]
    ]
    counts = dict.fromkeys(RATES, 0)
    for row in rows:
        if row["service"] in counts:
            counts[row["service"]] += row["count"]
    assert counts == {service: rate * SECONDS for service, rate in RATES.items()}
    names = {row["name"] for row in rows}
    assert {"refresh feeds", "export rows", "GET /stories/{story_id}"} <= names
    # The default names: unmatched paths share one.
    assert "GET 404" in names
    assert not [name for name in names if "nowhere" in name]


@pytest.mark.parametrize(
    "fault", [f for f in FAULTS if f.kind != "failure"], ids=lambda f: f"{f.file}-{f.kind}"
)
def test_a_planted_fault_is_found_and_named_with_its_line(watched: str, fault: Fault) -> None:
    found = ask(watched, "endpoint", name=fault.endpoint, kind=fault.endpoint_kind, service=fault.service)
    place = f"{fault.file}:{fault.line}"
    of_kind = [each for each in found["insights"] if each["kind"] == fault.kind]
    assert place in [_place(each["where"]) for each in of_kind], found["insights"]
    row = found["endpoint"]
    assert row["where"] == place, (row["why"], found["insights"])
    assert place in row["why"]


def test_a_failure_is_named_with_its_line(watched: str) -> None:
    fault = next(f for f in FAULTS if f.kind == "failure")
    failed = ask(watched, "traces", name=fault.endpoint, failed="1")["traces"]
    assert failed
    trace = ask(watched, "trace", id=failed[0]["id"])["trace"]
    assert trace["error"]["type"] == "ValueError"
    assert f"{trace['error']['file']}:{trace['error']['line']}" == f"{fault.file}:{fault.line}"


def test_why_says_the_same_in_the_terminal(watched: str, store: str) -> None:
    fault = next(f for f in FAULTS if f.endpoint == "GET /orders")
    told = subprocess.run(
        [PYTHON, "-m", "apm_agent", "why", "GET /orders", "--store", store],
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"{fault.file}:{fault.line}" in told.stdout
    assert len(told.stdout.encode()) <= 4096


def test_def_routes_have_their_own_samples(watched: str) -> None:
    profile = ask(watched, "profile", name="GET /ranking", kind="web", service="feed")
    assert "rank" in profile["frames"]["function"]


def test_the_dashboard_is_mounted_in_django(store: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        apps = start(stack, tmp_path, APM_AGENT_STORE=f"sqlite:///{tmp_path}/own.db")
        ask_until(f"{apps.notes}/apm", "endpoints", lambda found: True)
        raw(apps.notes, "GET", "/authors/")
        found = ask_until(f"{apps.notes}/apm", "endpoints", lambda answer: answer["endpoints"])
    assert [row["name"] for row in found["endpoints"]] == ["GET /authors/"]


CALLS = {
    "shop": (
        "GET /", "GET /orders", "GET /orders/5", "GET /orders/5000", "GET /report", "GET /products/3/price",
        "GET /recommended", "GET /orders.csv",
        "GET /checkout/5", "GET /checkout/6", "GET /nowhere",
        "POST /orders", "HEAD /", "OPTIONS /orders", "GET /static/none.css",
    ),
    "feed": (
        "GET /", "GET /stories/3", "GET /stories/3000", "GET /stories/x", "GET /ranking", "GET /timeline/ann",
        "GET /digest", "GET /weather/oslo", "GET /events", "GET /archive", "GET /nowhere", "POST /", "HEAD /",
        "GET /docs", "GET /openapi.json",
    ),
    "notes": (
        "GET /", "GET /authors/", "GET /authors", "GET /calendar/", "GET /notes/3/", "GET /notes/3000/",
        "GET /export.csv", "GET /pulse/", "GET /nowhere/", "HEAD /", "POST /authors/",
    ),
}  # fmt: skip


def raw(base: str, method: str, path: str) -> bytes:
    """The whole answer as it came over the wire, but for the date."""
    host, _, port = base.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        # One Host for all, because a redirect repeats it.
        connection.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, separator, body = answer.partition(b"\r\n\r\n")
    return re.sub(rb"(?im)^date: [^\r]*\r\n", b"", head + b"\r\n") + separator + body


def answers(apps: Apps) -> dict[str, bytes]:
    return {
        f"{name} {call}": raw(url, *call.split(" ", 1))
        for name, url in apps._asdict().items()
        for call in CALLS[name]
    }


def test_every_answer_is_byte_for_byte_what_it_is_without_the_agent(tmp_path: Path) -> None:
    recorded: dict[str, dict[str, bytes]] = {}
    given: dict[str, dict[str, Any]] = {
        "bare": {"EXAMPLE_BARE": "1"},
        "watched": {"APM_AGENT_STORE": f"sqlite:///{tmp_path}/apm.db"},
        "off": {"APM_AGENT_ENABLED": "off"},
    }
    for name, variables in given.items():
        (tmp_path / name).mkdir()
        with ExitStack() as stack:
            recorded[name] = answers(start(stack, tmp_path / name, **variables))
    assert len(recorded["bare"]) == sum(map(len, CALLS.values()))
    for call, answer in recorded["bare"].items():
        assert answer.startswith(b"HTTP/1.1 "), call
        assert recorded["watched"][call] == answer, call
        assert recorded["off"][call] == answer, call


def _place(where: dict[str, Any] | None) -> str:
    return f"{where['file']}:{where['line']}" if where else ""
