"""The Health page's answer, figure by figure, of small stores with known troubles."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from apm_agent.queries import health_kept
from apm_agent.queries.connection import connect
from apm_agent.queries.health import health
from apm_agent.store.retention import AGES
from apm_agent.store.sqlite import SQLiteStore
from records import SECOND, process, record

WELL: dict[str, Any] = {
    "sampler": {"state": "looking", "interval_ms": 10.0, "achieved_per_s": 99.0, "cpu_share": 0.004, "budget": 0.01},
    "recorder": {"queued": 0, "recorded": 300, "dropped": 0, "ignored": 0, "lost": 0},
    "writer": {"batches": 9, "last_ms": 2.0, "max_ms": 8.0, "errors": 0, "cpu_ms": 90.0, "last_error": None},
    "overhead": {"per_transaction_us": 300.0, "cpu_share": 0.006},
    "instruments": [{"name": "sqlite3", "state": "patched", "detail": ""}],
    "contained": [],
    "settings": {"sample_interval": 0.01, "max_size": 2**30, "max_age": 604800.0, "slow": 0.5},
}  # fmt: skip


def written(path: Path, *states: dict[str, Any], records: list[Any] | None = None) -> Path:
    """A store that processes 1, 2, … left these states in."""
    for pid, state in enumerate(states, 1):
        store = SQLiteStore(str(path), process(pid), 2**30)
        store.write([record()] if records is None else records, state)
        store.close()
    return path


def asked(path: Path) -> dict[str, Any]:
    with connect(f"sqlite:///{path}") as connection:
        return health(connection, f"sqlite:///{path}", "1.2.3")


def troubles(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["state"], each["what"]) for each in answer["checks"] if each["state"] != "fine"]


def test_cost_is_a_mean_by_transactions_and_says_that_percentiles_are_not_known(tmp_path: Path) -> None:
    busy = {
        **WELL,
        "recorder": {**WELL["recorder"], "recorded": 100},
        "overhead": {"per_transaction_us": 700.0, "cpu_share": 0.01},
    }
    cost = asked(written(tmp_path / "apm.db", WELL, busy))["cost"]
    assert cost["processes"] == 2
    assert cost["transactions"] == 400
    assert cost["mean_us"] == (300 * 300.0 + 100 * 700.0) / 400
    assert cost["cpu_share"] == pytest.approx(0.008)
    assert cost["cpu_share_most"] == 0.01
    assert cost["p50_us"] is cost["p95_us"] is None


def test_a_process_that_says_nothing_costs_nothing_known(tmp_path: Path) -> None:
    answer = asked(written(tmp_path / "apm.db", {}))
    assert answer["cost"]["mean_us"] is None
    assert answer["cost"]["cpu_share"] is None
    assert answer["store"]["max_bytes"] is None


def test_all_is_well(tmp_path: Path) -> None:
    answer = asked(written(tmp_path / "apm.db", WELL))
    assert [each for each in troubles(answer) if each[1] not in {"other agent", "memory"}] == []
    assert answer["store"]["max_bytes"] == 2**30
    assert answer["store"]["details"] == 1
    assert answer["dashboard"]["pid"] == os.getpid()


def test_each_trouble_is_named_with_its_process_and_its_cure(tmp_path: Path) -> None:
    ill = {
        **WELL,
        "recorder": {**WELL["recorder"], "dropped": 1234, "lost": 2},
        "writer": {**WELL["writer"], "errors": 3, "last_error": "the disk is full"},
        "sampler": {**WELL["sampler"], "interval_ms": 40.0},
        "instruments": [{"name": "redis", "state": "failed", "detail": "no Redis.execute_command"}],
        "contained": [{"what": "reading", "error": "OSError: no", "count": 4}],
    }
    answer = asked(written(tmp_path / "apm.db", ill))
    found = {each["what"]: each for each in answer["checks"]}
    name = f"{answer['processes'][0]['service']}, {answer['processes'][0]['host']}:1"
    assert found["dropped"]["detail"] == f"1,234 transactions: the queue was full ({name})"
    assert "max_queue" in found["dropped"]["cure"]
    assert found["lost"]["state"] == "wrong"
    assert found["writing"]["detail"] == f"the disk is full ({name})"
    assert found["sampler"]["detail"].startswith("asked to look every 10 ms and looks every 40 ms")
    assert "APM_AGENT_INSTRUMENTS_OFF=redis" in found["instrument"]["cure"]
    assert found["contained"]["detail"] == f"4× while reading: OSError: no ({name})"
    assert "processes" not in found


def test_processes_that_do_not_agree_on_a_setting(tmp_path: Path) -> None:
    other = {**WELL, "settings": {**WELL["settings"], "slow": 2.0}}
    found = {each["what"]: each for each in asked(written(tmp_path / "apm.db", WELL, other))["checks"]}
    assert found["settings"]["detail"].endswith("do not agree on slow")


def test_a_state_that_makes_no_sense_is_no_failure(tmp_path: Path) -> None:
    odd: dict[str, Any] = {
        "sampler": {"state": 7, "interval_ms": "x"}, "recorder": {"dropped": "many"}, "writer": [], "overhead": [1],
        "instruments": ["x", {"state": "failed"}], "contained": {"a": 1}, "settings": [1],
    }  # fmt: skip
    answer = asked(written(tmp_path / "apm.db", odd))
    assert ("wrong", "instrument") in troubles(answer)


def test_no_store_yet(tmp_path: Path) -> None:
    answer = asked(tmp_path / "none.db")
    assert answer["checks"][0]["what"] == "last event"
    assert "apm-agent run" in answer["checks"][0]["cure"]
    assert answer["privacy"]["looked_at"] == 0


def test_how_far_back_each_kind_of_record_reaches(tmp_path: Path) -> None:
    then = time.time_ns() - 3 * 86400 * SECOND
    store = written(tmp_path / "apm.db", WELL, records=[record(at=then), record()])
    rows = {each["what"]: each for each in asked(store)["store"]["kept"]}
    assert rows["single transactions"] == {
        "what": "single transactions", "oldest": then / 1e9, "max_age_s": 604800.0,
    }  # fmt: skip
    assert rows["minutes"]["oldest"] == then // SECOND // 60 * 60
    assert rows["days"]["oldest"] == then // SECOND // 86400 * 86400


def test_the_ages_are_those_the_writer_keeps_to() -> None:
    assert {(table, resolution): age for _, table, resolution, age in health_kept.KEPT} == {
        key: age for key, age in AGES.items() if key[0] in {"rollups", "profiles"}
    }


def test_what_is_kept_of_people_is_counted(tmp_path: Path) -> None:
    records = [
        record(path="/orders/[scrubbed]", context={"user": 7, "token": "[scrubbed]"}),
        record(path="/orders", context={"user": 8}),
        record(path=None, context={}),
    ]
    privacy = asked(written(tmp_path / "apm.db", WELL, records=records))["privacy"]
    assert privacy["looked_at"] == 3
    assert (privacy["with_path"], privacy["masked_paths"]) == (2, 1)
    assert (privacy["with_context"], privacy["masked_contexts"]) == (2, 1)
    assert privacy["keys"] == [{"key": "user", "count": 2}, {"key": "token", "count": 1}]


def test_an_instrument_whose_library_is_here_and_that_nobody_imported(tmp_path: Path) -> None:
    def state(*names: tuple[str, str, str]) -> dict[str, Any]:
        return {
            **WELL,
            "instruments": [dict(zip(("name", "state", "detail"), each, strict=True)) for each in names],
        }

    here, gone = "not imported yet: no_such_module, json", "not imported yet: no_such_module"
    one = state(("a", "waiting", here), ("b", "waiting", gone), ("c", "waiting", here), ("d", "patched", ""))
    two = state(("a", "waiting", here), ("c", "patched", ""))
    answer = asked(written(tmp_path / "apm.db", one, two))
    assert (answer["unused"], answer["unused_in"]) == (["a"], "dashboard")


def test_a_mounted_dashboard_sees_what_the_application_sees(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process(os.getpid(), host=os.uname().nodename), 2**30)
    store.write([record()], WELL)
    store.close()
    assert asked(path)["unused_in"] == "application"
