"""Callgraphs merged over transactions, and transactions read back as they were recorded."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from apm_agent.model.callgraph import Call, Callgraph, Node
from apm_agent.model.record import Record
from apm_agent.queries import callgraph
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.recorded import record
from apm_agent.queries.scope import one_endpoint
from apm_agent.queries.window import of_range
from apm_agent.store.sqlite import SQLiteStore
from records import PRICE, SECOND, STATEMENT, VIEW, process
from records import record as a_record

OUTER, INNER = Node("/srv/shop.py", 7, "orders"), Node("/srv/shop.py", 21, "price")


def measured(calls: int) -> Callgraph:
    graph = Callgraph()
    graph.functions = {
        OUTER: Call(1, 1, 5, 5 + 10 * calls),
        INNER: Call(calls, calls + 2, 10 * calls, 10 * calls),
    }
    graph.callers = {OUTER: {}, INNER: {OUTER: Call(calls, calls + 2, 10 * calls, 10 * calls)}}
    return graph


def kept(path: Path, *records: Record) -> str:
    store = SQLiteStore(str(path), process(), 2**30)
    store.write(list(records), {})
    store.close()
    return f"sqlite:///{path}"


def test_calls_and_times_add_up(tmp_path: Path) -> None:
    records = [a_record(callgraph=measured(calls), kept="uniform") for calls in (1, 2, 3)]
    other = a_record("GET /other", callgraph=measured(100), kept="uniform")
    plain = a_record(kept="uniform")
    url = kept(tmp_path / "apm.db", *records, other, plain)
    with connect(url) as connection:
        endpoint = one_endpoint(connection, "GET /orders")
        assert endpoint is not None
        merged = callgraph.of_window(connection, of_range("1h"), [endpoint.id])
        assert (merged.transactions, merged.more) == (3, False)
        assert merged.callgraph.functions == {OUTER: Call(3, 3, 15, 75), INNER: Call(6, 12, 60, 60)}
        assert merged.callgraph.callers[INNER] == {OUTER: Call(6, 12, 60, 60)}
        one = callgraph.of_transaction(connection, other.id)
        assert one is not None
        assert one.functions == other.callgraph.functions  # type: ignore[union-attr]
        assert one.callers == other.callgraph.callers  # type: ignore[union-attr]
        assert callgraph.of_transaction(connection, plain.id) is None
        assert callgraph.of_transaction(connection, 1) is None
        assert callgraph.of_window(connection, of_range("1h"), []).transactions == 0


def test_a_damaged_blob_hides_no_other(tmp_path: Path) -> None:
    records = [a_record(callgraph=measured(calls), kept="uniform") for calls in (1, 2)]
    url = kept(tmp_path / "apm.db", *records)
    raw = sqlite3.connect(tmp_path / "apm.db")
    raw.execute("UPDATE traces SET data = x'00' WHERE transaction_id = ?", (records[0].id,))
    raw.commit()
    raw.close()
    with connect(url) as connection:
        endpoint = one_endpoint(connection, "GET /orders")
        assert endpoint is not None
        merged = callgraph.of_window(connection, of_range("1h"), [endpoint.id])
        assert merged.callgraph.functions[INNER] == Call(2, 4, 20, 20)


def test_a_transaction_comes_back_as_it_was(tmp_path: Path) -> None:
    written = a_record(kept="uniform", weights={((VIEW, PRICE), 2): 7 * SECOND}, lost_samples=3)
    written.gc_pauses, written.rss_curve = [(5, 6, 2)], [(0, 100), (9, 200)]
    url = kept(tmp_path / "apm.db", written)
    with connect(url) as connection:
        found = record(connection, written.id)
        assert record(connection, 1) is None
    assert found is not None
    for name in ("id", "kind", "name", "started_at", "duration_ns", "method", "path", "status", "spans",
                 "samples", "weights", "lost_samples", "gc_pauses", "rss_curve"):  # fmt: skip
        assert getattr(found, name) == getattr(written, name), name
    assert STATEMENT in {span.statement for span in found.spans}


def test_of_a_day_each_is_counted_once(connection: Connection, raw: sqlite3.Connection) -> None:
    endpoint = one_endpoint(connection, "POST /quote")
    assert endpoint is not None
    merged = callgraph.of_window(connection, of_range("24h"), [endpoint.id])
    (kept_ones,) = raw.execute(
        "SELECT count(*) FROM traces JOIN transactions x ON x.id = transaction_id WHERE x.endpoint_id = ?",
        (endpoint.id,),
    ).fetchone()
    assert 0 < merged.transactions <= kept_ones
    assert {call.calls for call in merged.callgraph.functions.values()} == {merged.transactions}
