"""What the Memory page is told of workers, restarts, pauses and captures, against a store whose making is known."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from apm_agent.queries import arms, captured, window
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.leaks import memory
from apm_agent.queries.scope import scope_of
from apm_agent.queries.source import Sources
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from leaking import EXPORT, LIST, REPORT, SHARED, make
from records import SECOND, process, record

MB = 2**20


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("leaking") / "apm.db"
    make(path, 1800)
    return path


@pytest.fixture(scope="module")
def answer(leaking: Path) -> dict[str, Any]:
    with connect(f"sqlite:///{leaking}") as connection:
        return memory(connection, window.of_range("6h"))


def get(store: Path, question: str) -> TestResponse:
    return Client(dashboard(f"sqlite:///{store}", open_to_all=True)).get(f"/api/v1/{question}")


def test_one_leaks_and_who_gives_back_beside_it_does_not(answer: dict[str, Any]) -> None:
    verdicts = {row["name"]: row["verdict"] for row in answer["endpoints"]}
    assert verdicts[EXPORT] == "leaks"
    assert verdicts[REPORT] == "returned"
    assert verdicts[LIST] != "leaks"
    leak = answer["endpoints"][0]
    assert leak["name"] == EXPORT
    assert leak["slope_low_kb"] < leak["slope_kb"] < leak["slope_high_kb"]
    assert leak["p50_kb"] < leak["p95_kb"]


def test_who_never_ran_alone_is_told_and_has_no_figures(answer: dict[str, Any]) -> None:
    shared = next(row for row in answer["endpoints"] if row["name"] == SHARED)
    assert (shared["exclusive"], shared["verdict"]) == (0, "too few")
    assert shared["overlapped"] > 0
    assert shared["p50_kb"] is shared["total_kb"] is shared["slope_low_kb"] is None
    total = answer["total"]
    assert total["calls"] - total["exclusive"] == shared["overlapped"]


def test_each_worker_grows_until_it_is_restarted(answer: dict[str, Any], leaking: Path) -> None:
    raw = sqlite3.connect(leaking)
    known = dict(raw.execute("SELECT pid, rss FROM processes"))
    raw.close()
    assert {worker["pid"] for worker in answer["workers"]} == set(known)
    for worker in answer["workers"]:
        sizes = [size for size in worker["sizes_kb"] if size is not None]
        assert len(worker["sizes_kb"]) == len(answer["t"]) == 120
        assert worker["rss_kb"] == pytest.approx(known[worker["pid"]] / 1024, abs=0.1)
        assert sizes[0] < sizes[-1] or len(sizes) < 3
        assert worker["peak_kb"] == max(sizes)
    peaks = [worker["peak_kb"] for worker in answer["workers"]]
    assert peaks == sorted(peaks, reverse=True)


def test_restarts_are_told_from_a_release(answer: dict[str, Any]) -> None:
    marks = answer["restarts"]
    released = [mark for mark in marks if mark["why"] == "release"]
    assert len(released) == 4
    assert {mark["release"] for mark in released} == {"1.5.0"}
    again = [mark for mark in marks if mark["why"] == "restart"]
    assert again
    assert all(mark["before_kb"] > 690 * 1024 for mark in again)
    befores = [mark["before"] for mark in marks]
    assert len(set(befores)) == len(befores)
    [release] = answer["releases"]
    assert release["version"] == "1.5.0"
    assert release["t"] == pytest.approx(min(mark["t"] for mark in released))


def test_pauses_are_summed_counted_and_the_longest_is_found(answer: dict[str, Any], leaking: Path) -> None:
    raw = sqlite3.connect(leaking)
    spent, paused, calls = raw.execute(
        "SELECT sum(gc_ns), sum(gc_ns > 0), count(*) FROM transactions WHERE started_at >= ?",
        (answer["t"][0] * SECOND,),
    ).fetchone()
    raw.close()
    gc = answer["gc"]
    assert gc["total_ms"] == spent / 1e6
    assert (gc["paused"], gc["calls"]) == (paused, calls)
    assert (gc["pauses"], gc["looked_into"]) == (7, 7)  # of those measured on demand, which alone are kept
    assert (gc["longest"]["ms"], gc["longest"]["generation"], gc["longest"]["name"]) == (2.0, 2, EXPORT)
    assert gc["at_most_ms"] == 2.0
    assert sum(row["share"] for row in gc["endpoints"]) == pytest.approx(1)


def test_narrowed_to_a_release(leaking: Path) -> None:
    with connect(f"sqlite:///{leaking}") as connection:
        found = memory(connection, window.of_range("6h"), release="1.5.0")
    assert {worker["release"] for worker in found["workers"]} == {"1.5.0"}
    assert found["gc"]["calls"] < 1800


def test_what_was_measured_is_merged(leaking: Path) -> None:
    found = get(leaking, f"captures?range=6h&name={EXPORT.replace(' ', '%20')}").get_json()
    assert [row["capture"] for row in found["captures"]] == ["cprofile"] * 3 + ["lines"] * 2 + ["memory"] * 2
    graph = found["callgraph"]
    names = [function["function"] for function in graph["functions"]]
    assert (graph["transactions"], graph["left_out"]) == (3, 0)
    assert names == ["price", "<method 'append' of 'list'>", "track"]
    assert graph["functions"][0]["own_ms"] == 3 * 16
    assert [names.index("track"), names.index("price"), 120, 48.0, 48.0] in graph["calls"]
    [function] = found["lines"]["functions"]
    hits = {line["number"]: (line["hits"], line["ms"]) for line in function["lines"]}
    assert hits[16] == (160, 28.0)
    assert hits[12] == (0, 0.0)  # the def itself, which did not run, for its place
    assert next(line["text"] for line in function["lines"] if line["number"] == 13) == "    total = 0"
    kept = found["memory"]
    assert (kept["transactions"], kept["shared"], kept["exclusive"]) == (2, 1, False)
    assert kept["kept_kb"] == 4096
    assert kept["lines"][0]["line"] == 38
    assert (kept["lines"][0]["blocks"], kept["lines"][0]["transactions"]) == (1000, 2)
    assert kept["types"][1] == {**kept["types"][1], "type": "shop.Event", "count": 1000, "transactions": 2}
    assert kept["holders"][0]["held_by"] == [{"what": "list shop.SEEN", "count": 10}]


def test_what_was_measured_of_one_transaction_whenever_it_was(leaking: Path) -> None:
    every = get(leaking, "captures?range=6h&capture=cprofile").get_json()
    one = get(leaking, f"captures?range=15m&id={every['captures'][2]['id']}").get_json()
    assert one["captures"] == every["captures"][2:]
    assert (one["callgraph"]["transactions"], one["callgraph"]["functions"][0]["calls"]) == (1, 40)
    assert get(leaking, "captures?id=1").get_json()["captures"] == []
    assert get(leaking, "captures?id=zz").status_code == 400


def test_captures_narrowed_and_refused(leaking: Path) -> None:
    only = get(leaking, "captures?range=6h&capture=memory").get_json()
    assert {row["capture"] for row in only["captures"]} == {"memory"}
    assert only["callgraph"] is only["lines"] is None
    assert get(leaking, "captures?range=6h&name=GET%20/orders").get_json()["captures"] == []
    assert get(leaking, "captures?name=GET%20/nowhere").status_code == 404
    answer = get(leaking, "captures?capture=gdb")
    assert answer.status_code == 400
    assert "capture='gdb' is not one of cprofile, lines, memory" in answer.get_json()["error"]["message"]


def test_a_damaged_capture_hides_no_other(leaking: Path, tmp_path: Path) -> None:
    make(tmp_path / "apm.db", 60)
    raw = sqlite3.connect(tmp_path / "apm.db")
    raw.execute(
        "UPDATE traces SET data = x'00' WHERE transaction_id = (SELECT max(transaction_id) FROM traces)"
    )
    raw.commit()
    raw.close()
    assert len(get(tmp_path / "apm.db", "captures?range=6h").get_json()["captures"]) == 6
    assert get(tmp_path / "apm.db", "memory?range=6h").get_json()["gc"]["looked_into"] == 6


def _said(store: Path, pid: int, armed: list[dict[str, Any]]) -> None:
    opened = SQLiteStore(str(store), process(pid))
    opened.write([record(at=time.time_ns())], {"armed": armed})
    opened.close()


def test_arms_tell_which_workers_took_them_up(tmp_path: Path) -> None:
    store = tmp_path / "apm.db"
    for pid in (1, 2, 3):
        _said(store, pid, [])
    with connect(f"sqlite:///{store}") as connection:
        made = arms.arm(connection, "GET /orders", "cprofile", 5)
        assert (made["workers"], made["unheard"]) == ([], 3)
    _said(store, 1, [{"id": made["id"], "live": True, "counts": {"kept": 2, "busy": 3}}])
    _said(store, 2, [{"id": made["id"], "live": False, "counts": {"busy": 1}}])
    _said(store, 4, [{"id": "0" * 16, "live": True, "counts": {}}])
    with connect(f"sqlite:///{store}") as connection:
        [row] = arms.listed(connection, "GET /orders")
        assert arms.listed(connection, "GET /other") == []
    told = {
        worker["pid"]: (worker["live"], worker["kept"], worker["unmeasured"]) for worker in row["workers"]
    }
    assert told == {1: (True, 2, {"busy": 3}), 2: (False, 0, {"busy": 1})}
    assert row["unmeasured"] == {"busy": 4}


@pytest.mark.parametrize("state", ['{"armed":[{"id":1}]}', '{"armed":[{"counts":7}]}', '{"armed":[{'])
def test_what_a_process_says_of_arms_may_be_anything(state: str, tmp_path: Path) -> None:
    store = tmp_path / "apm.db"
    _said(store, 1, [])
    raw = sqlite3.connect(store)
    raw.execute("UPDATE processes SET state = ?", (state,))
    raw.commit()
    raw.close()
    with connect(f"sqlite:///{store}") as connection:
        assert arms.arm(connection, "GET /orders", "cprofile")["workers"] == []
        assert arms.listed(connection)[0]["workers"] == []


def test_an_empty_store_has_nothing_to_tell(tmp_path: Path) -> None:
    found = get(tmp_path / "none.db", "memory?range=1h").get_json()
    assert found["workers"] == found["endpoints"] == found["restarts"] == []
    assert found["gc"]["longest"] is None
    assert get(tmp_path / "none.db", "captures?range=1h").get_json()["captures"] == []


def test_scope_is_of_the_service(leaking: Path) -> None:
    with connect(f"sqlite:///{leaking}") as connection:
        assert isinstance(connection, Connection)
        assert scope_of(connection, "other").endpoints == {}
        assert memory(connection, window.of_range("6h"), service="other")["workers"] == []
    assert json.loads(get(leaking, "memory?range=6h&service=other").data)["restarts"] == []


def test_what_the_measuring_holds_itself_is_no_holder() -> None:
    ours = [("apm_agent.profiling.look.Look", 1), ("list in apm_agent.store.batch.Batch", 2)]
    said = {
        "kept": 1, "peak": None, "objects": 1, "took": 1, "lines": [], "types": [],
        "holders": [("dict", ours), ("tuple", [*ours, ("list shop.SEEN", 3)])],
    }  # fmt: skip
    shown = captured.memory({"memory": said}, Sources([], 0.0), None, 0)
    assert shown is not None
    assert shown["holders"] == [{"type": "tuple", "held_by": [{"what": "list shop.SEEN", "count": 3}]}]
