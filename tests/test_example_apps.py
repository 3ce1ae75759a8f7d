"""The example apps under their real servers: each planted fault is found with its line, no answer changes."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from api import ask, ask_until
from demo_apps import ENDPOINTS, FAULTS, RATES, SECONDS, Apps, Fault, start
from servers import PYTHON, environment, free_port, running

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def watched(demo_store: str) -> Iterator[str]:
    """The URL of a dashboard of what the apps left."""
    port = free_port()
    command = [
        PYTHON, "-m", "apm_agent", "dashboard", "--store", demo_store, "--port", str(port), "--no-browser"
    ]  # fmt: skip
    with running(command, port=port) as program:
        yield program.url


def asked(base: str, question: str, **parameters: str) -> dict[str, Any]:
    """As `ask`, of the whole day: when in the session the apps were called is not known."""
    return ask(base, question, range="24h", **parameters)


def test_every_marker_belongs_to_an_endpoint() -> None:
    assert {(fault.file, fault.kind) for fault in FAULTS} == set(ENDPOINTS)
    assert len(FAULTS) == len(ENDPOINTS)


def test_every_call_of_every_app_was_counted(watched: str) -> None:
    rows = [
        row
        for kind in ("web", "background", "stream")
        for row in asked(watched, "endpoints", limit="1000", kind=kind)["endpoints"]
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
    found = asked(watched, "endpoint", name=fault.endpoint, kind=fault.endpoint_kind, service=fault.service)
    place = f"{fault.file}:{fault.line}"
    of_kind = [each for each in found["insights"] if each["kind"] == fault.kind]
    assert place in [_place(each["where"]) for each in of_kind], found["insights"]
    # No fault plants a collection: how long one takes, and which request it meets, is the machine's.
    planted = next(each for each in found["insights"] if each["kind"] != "gc_pause")
    assert _place(planted["where"]) == place, found["insights"]
    assert place in planted["why"]
    first, row = found["insights"][0], found["endpoint"]
    told = {(_place(each["where"]), each["why"]) for each in (first, planted)}
    assert (row["where"], row["why"]) in told, found["insights"]


def test_a_failure_is_named_with_its_line(watched: str) -> None:
    fault = next(f for f in FAULTS if f.kind == "failure")
    failed = asked(watched, "traces", name=fault.endpoint, failed="1")["traces"]
    assert failed
    trace = asked(watched, "trace", id=failed[0]["id"])["trace"]
    assert trace["error"]["type"] == "ValueError"
    assert f"{trace['error']['file']}:{trace['error']['line']}" == f"{fault.file}:{fault.line}"


def test_why_says_the_same_in_the_terminal(demo_store: str) -> None:
    fault = next(f for f in FAULTS if f.endpoint == "GET /orders")
    told = subprocess.run(
        [PYTHON, "-m", "apm_agent", "why", "GET /orders", "--store", demo_store, "--range", "24h"],
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"{fault.file}:{fault.line}" in told.stdout
    assert len(told.stdout.encode()) <= 4096


def test_def_routes_have_their_own_samples(watched: str) -> None:
    profile = asked(watched, "profile", name="GET /ranking", kind="web", service="feed")
    assert "rank" in profile["frames"]["function"]


def test_the_dashboard_is_mounted_in_django(tmp_path: Path) -> None:
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
