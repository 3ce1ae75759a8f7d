"""What is in flight, as the pages ask for it: asking, believing, naming."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apm_agent.errors import StoreError
from apm_agent.model import live as shape
from apm_agent.model.live import Flight, OpenSpan, Place, Told
from apm_agent.model.profile import Frame
from apm_agent.queries import live
from apm_agent.queries.connection import connect
from apm_agent.queries.scope import Endpoint
from apm_agent.store.sqlite import SQLiteStore
from records import process, record

STUCK = Frame("wait", "shop.py", 7, "app", "")
Telling = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "apm.db"
    keeping = SQLiteStore(str(path), process(pid=1, host="web-1"))
    keeping.write([record("GET /orders/<int:id>") for _ in range(30)] + [record("GET /orders/new")])
    keeping.close()
    return path


@pytest.fixture
def tell(store: Path) -> Telling:
    """Lay down what a process tells."""

    def lay(pid: int = 1, flights: tuple[Flight, ...] = (), **fields: Any) -> Path:
        folder = store.parent / "live"
        folder.mkdir(mode=0o700, exist_ok=True)
        made: dict[str, Any] = {
            "store": "apm.db", "service": "shop", "host": "web-1", "pid": pid, "written": time.time(),
            "since": time.time() - 10, "sampled_ns": 0, "cost_ns": 10_000_000, "flights": flights,
        }  # fmt: skip
        file = Path(shape.file_of(str(folder), "web-1", pid))
        file.write_text(shape.to_text(Told(**made | fields)))
        return file

    return lay


def flight(**fields: Any) -> Flight:
    made: dict[str, Any] = {
        "id": "00000000000000aa", "kind": "web", "name": "", "method": "GET", "path": "/orders/7",
        "age_ns": 2_500_000_000, "state": "db", "span": OpenSpan("db", "SELECT customer", 2_400_000_000),
        "places": (Place("MainThread", "", "waiting", (STUCK,)), Place("worker-1", "", "running", (STUCK, STUCK))),
    }  # fmt: skip
    return Flight(**made | fields)


def ask(store: Path) -> dict[str, Any]:
    with connect(f"sqlite:///{store}") as connection:
        return live.in_flight(connection)


def test_what_is_in_flight(store: Path, tell: Telling) -> None:
    tell(1, (flight(age_ns=1), flight()))
    found = ask(store)
    row = found["in_flight"][0]
    assert [row["age_ms"] for row in found["in_flight"]] == [2500.0, 0.0]
    assert (row["name"], row["kind"], row["service"]) == ("GET /orders/<int:id>", "web", "shop")
    assert (row["host"], row["pid"], row["thread"], row["state"]) == ("web-1", 1, "MainThread", "db")
    assert row["span"] == {"kind": "db", "name": "SELECT customer", "age_ms": 2400.0}
    assert row["stack"] == [{"function": "wait", "file": "shop.py", "line": 7, "category": "app"}]
    assert [(place["thread"], len(place["stack"])) for place in row["also"]] == [("worker-1", 2)]
    assert 5 < row["p95_ms"] < 30


def test_what_ended_lately(store: Path) -> None:
    recent = ask(store)["recent"]
    assert (recent["count"], recent["errors"]) == (31, 0)
    assert recent["per_min"] == pytest.approx(31 / recent["minutes"], abs=0.001)
    assert 15 <= recent["minutes"] <= 16


def test_processes_that_answer_and_those_that_do_not(store: Path, tell: Telling) -> None:
    tell(2, (flight(),))
    found = {each["pid"]: each for each in ask(store)["processes"]}
    assert found[2]["answers"]
    assert (found[2]["in_flight"], found[2]["cost_share"]) == (1, 0.001)
    assert not found[1]["answers"]
    assert found[1]["last_seen"] is not None


@pytest.mark.parametrize("fields", [{"written": 1.0}, {"store": "other.db"}])
def test_what_is_old_or_of_another_store_is_not_believed(
    fields: dict[str, Any], store: Path, tell: Telling
) -> None:
    tell(1, (flight(),), **fields)
    assert ask(store)["in_flight"] == []


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"path": "/orders/7"}, "GET /orders/<int:id>"),
        ({"path": "/orders/new"}, "GET /orders/new"),
        ({"path": "/orders"}, "GET /orders"),
        ({"path": "/orders/7", "method": "POST"}, "POST /orders/7"),
        ({"name": "nightly"}, "nightly"),
        ({"method": "", "path": "", "kind": "background"}, ""),
    ],
)
def test_a_transaction_without_a_name_yet_goes_by_its_path(
    fields: dict[str, str], name: str, store: Path, tell: Telling
) -> None:
    tell(1, (flight(**fields),))
    assert ask(store)["in_flight"][0]["name"] == name


def test_a_path_that_two_routes_fit_names_neither() -> None:
    endpoints = [
        Endpoint(1, "shop", "web", "GET /<a>/x", None), Endpoint(2, "shop", "web", "GET /y/<b>", None),
    ]  # fmt: skip
    assert live.endpoint_of(flight(path="/y/x"), "shop", endpoints) is None
    assert live.endpoint_of(flight(path="/z/x"), "shop", endpoints) == endpoints[0]
    assert live.endpoint_of(flight(path="/z/x"), "blog", endpoints) is None


def test_asking_makes_a_private_place_and_says_until_when(store: Path) -> None:
    before = time.time()
    until = live.ask(str(store))
    folder = store.parent / "live"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "asked").stat().st_mode) == 0o600
    assert float((folder / "asked").read_text()) == pytest.approx(until, abs=0.01)
    assert until >= before + shape.ASKED_FOR
    assert ask(store)["asked_until"] == pytest.approx(until, abs=1)


def test_r40_reading_changes_nothing(store: Path, tell: Telling) -> None:
    old = tell(3, (flight(),), written=1.0)
    os.utime(old, (1, 1))
    assert ask(store)["asked_until"] is None
    assert list((store.parent / "live").iterdir()) == [old]


def test_asking_sweeps_up_after_processes_that_ended(store: Path, tell: Telling) -> None:
    old, fresh = tell(3), tell(4)
    os.utime(old, (1, 1))
    live.ask(str(store))
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_place_that_others_can_write_is_refused(store: Path) -> None:
    folder = store.parent / "live"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(StoreError, match="can be written by other users"):
        live.ask(str(store))
    assert list(folder.iterdir()) == []


def test_without_a_folder_it_is_said_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store at"):
        live.ask(str(tmp_path / "nowhere" / "apm.db"))
