"""Prometheus' own parser reads the metrics, and their figures are those of the rows."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from records import process, record

BASE = {"REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1"}
MS = 1_000_000
ODD = 'GET /a"b\\c\nd'


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "apm.db"
    now = time.time_ns()
    made = [record("GET /orders", now, duration_ns=ms * MS, times={"db": 2 * MS}) for ms in (1, 3, 40, 3000)]
    made.append(record("GET /orders", now, duration_ns=2**24, status=500, times={}))
    made.append(record(ODD, now, duration_ns=5 * MS, times={}))
    made.append(record("WS /chat", now, kind="websocket", duration_ns=60_000 * MS, times={}, queries=0))
    made.append(record("GET /old", now - 2 * 86400 * 10**9, duration_ns=5 * MS))
    newer = [record("GET /orders", now, duration_ns=7 * MS, times={}, queries=0)]
    state = {"rss": 123_456_789, "recorder": {"dropped": 4}}
    for release, records in (("1", made), ("2", newer)):
        with_release = SQLiteStore(str(path), process(release=release, pid=int(release)))
        with_release.write(records, state)
        with_release.close()
    return path


def families(client: Client) -> dict[str, Metric]:
    answer = client.get("/metrics", environ_base=BASE)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(family: Metric, ending: str = "", **labels: str) -> float | None:
    """The one sample of this name that has these labels."""
    found = [
        sample.value
        for sample in family.samples
        if sample.name.endswith(ending) and labels.items() <= sample.labels.items()
    ]
    assert len(found) <= 1
    return found[0] if found else None


def test_every_figure(store: Path) -> None:
    found = families(Client(dashboard(f"sqlite:///{store}")))
    orders = {"service": "shop", "kind": "web", "endpoint": "GET /orders"}
    assert value(found["apm_agent_transactions"], **orders) == 6, "of both releases"
    assert value(found["apm_agent_transaction_errors"], **orders) == 1
    assert value(found["apm_agent_transaction_queries"], **orders) == 10
    spans = found["apm_agent_transaction_span_seconds"]
    assert value(spans, span="db", **orders) == pytest.approx(0.008)
    assert {sample.labels["span"] for sample in spans.samples} == {"db"}
    durations = found["apm_agent_transaction_duration_seconds"]
    assert value(durations, "_sum", **orders) == pytest.approx(3.051 + 2**24 / 1e9)
    assert value(durations, "_count", **orders) == 6
    assert value(found["apm_agent_process_resident_bytes"], pid="2") == 123_456_789
    assert value(found["apm_agent_transactions_dropped"], pid="1") == 4
    assert (value(found["apm_agent_store_bytes"]) or 0) >= store.stat().st_size


def test_buckets_count_what_is_at_most_their_bound(store: Path) -> None:
    durations = families(Client(dashboard(f"sqlite:///{store}")))["apm_agent_transaction_duration_seconds"]
    counts = {
        float(sample.labels["le"]): sample.value
        for sample in durations.samples
        if sample.name.endswith("_bucket") and sample.labels["endpoint"] == "GET /orders"
    }
    true = [0.001, 0.003, 0.04, 3.0, 2**24 / 1e9, 0.007]
    assert counts == {bound: sum(each <= bound for each in true) for bound in counts}
    assert counts[2**24 / 1e9] == 4, "a bound counts what is as long as itself"
    assert [math.isinf(bound) for bound in counts] == [False] * 17 + [True]


def test_r38_names_are_text_and_long_connections_have_no_durations(store: Path) -> None:
    found = families(Client(dashboard(f"sqlite:///{store}")))
    assert value(found["apm_agent_transactions"], endpoint=ODD) == 1
    assert value(found["apm_agent_transactions"], endpoint="WS /chat") == 1
    names = {sample.labels["endpoint"] for sample in found["apm_agent_transaction_duration_seconds"].samples}
    assert names == {"GET /orders", ODD}
    assert value(found["apm_agent_transactions"], endpoint="GET /old") is None, "counters begin at midnight"


def test_nothing_yet(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    SQLiteStore(str(path), process()).close()
    assert set(families(Client(dashboard(f"sqlite:///{path}")))) <= {
        "apm_agent_store_bytes",
        "apm_agent_process_resident_bytes",
    }


def test_the_door_is_that_of_the_pages(store: Path) -> None:
    client = Client(dashboard(f"sqlite:///{store}", token="a-token"))
    assert client.get("/metrics", environ_base=BASE).status_code == 403
    allowed = client.get("/metrics", environ_base=BASE, headers={"Authorization": "Bearer a-token"})
    assert allowed.status_code == 200
    assert client.post("/metrics", environ_base=BASE).status_code == 403


def test_a_store_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"no store " * 1000)
    answer = Client(dashboard(f"sqlite:///{tmp_path / 'broken.db'}")).get("/metrics", environ_base=BASE)
    assert answer.status_code == 503
    assert "broken.db" in answer.text
