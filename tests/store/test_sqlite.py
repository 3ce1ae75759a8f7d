"""A batch becomes rows, a blob and rollups that say the same."""

from __future__ import annotations

import struct
from itertools import permutations
from pathlib import Path

import pytest

from apm_agent.model.histogram import Histogram
from apm_agent.model.insight import Insight
from apm_agent.model.profile import WAITING
from apm_agent.model.record import FailureRecord
from apm_agent.store import open_store
from apm_agent.store.detail import unpack
from apm_agent.store.sqlite import SQLiteStore
from records import DRIVER, PRICE, SECOND, STATEMENT, VIEW, process, record, rows, sums_agree

LEVELS = (60, 3600, 86400)


def test_a_batch_is_rows_and_blobs(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = open_store(f"sqlite:///{path}", process())
    kept = record(
        context={"user": 7},
        failure=FailureRecord("ValueError", "no such order", VIEW, (VIEW,)),
        view="shop:orders",
        weights={((VIEW,), WAITING): 5_000},
        lost=[("db", "SELECT", 9, 700)],
    )
    store.write([kept, record("GET /", kept.started_at + SECOND, kept=None, share=0.25)])
    store.close()

    found = rows(
        path, "SELECT id, failed, error, queries, db_ns, kept, share, context FROM transactions ORDER BY id"
    )
    assert found[0] == (kept.id, 1, "ValueError", 2, 3_000_000, "insight", 1.0, '{"user":7}')
    assert found[1][5:] == (None, 0.25, None)
    assert rows(path, "SELECT service, kind, name, view FROM endpoints ORDER BY name") == [
        ("shop", "web", "GET /", None),
        ("shop", "web", "GET /orders", "shop:orders"),
    ]

    [(of, data)] = rows(path, "SELECT transaction_id, data FROM traces")
    blob = unpack(data)
    assert of == kept.id
    statements = dict(rows(path, "SELECT id, text FROM statements"))
    frames = {
        number: rest for number, *rest in rows(path, "SELECT id, function, file, line, category FROM frames")
    }
    stacks = dict(rows(path, "SELECT id, frames FROM stacks"))
    parent, kind, name, offset, duration, own, statement, frame, tags, is_open = blob["spans"][0]
    assert (parent, kind, name, offset, duration, own) == (
        None,
        "db",
        "SELECT customer",
        1_000_000,
        1_500_000,
        1_500_000,
    )
    assert (statements[statement], frames[frame], tags, is_open) == (STATEMENT, list(VIEW[:4]), None, 0)
    offset, weight, stack, state = blob["samples"][0]
    ids = struct.unpack(f"<{len(stacks[stack]) // 8}q", stacks[stack])
    assert [frames[each] for each in ids] == [list(each[:4]) for each in (VIEW, PRICE, DRIVER)]
    assert (offset, weight, state) == (1_000_000, 1_000_000, 0)
    assert blob["weights"][0][1:] == [WAITING, 5_000]
    assert blob["lost"] == [["db", "SELECT", 9, 700]]
    assert blob["failure"] == {
        "type": "ValueError",
        "message": "no such order",
        "frame_id": frame,
        "stack": [frame],
    }
    assert blob["context"] == {"user": 7}
    assert blob["insights"][0]["statement_id"] == statement


def test_rollups_say_what_the_rows_say(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    start = 1_790_000_000 * SECOND
    made = [record(f"GET /{n % 3}", start + n * 7 * SECOND) for n in range(2000)]
    for at in range(0, len(made), 250):
        store.write(made[at : at + 250])
    store.close()
    assert sums_agree(path)
    for level in LEVELS:
        together = Histogram()
        for (data,) in rows(path, "SELECT histogram FROM rollups WHERE resolution = ?", level):
            together.merge_bytes(data)
        assert together.counts == Histogram(each.duration_ns for each in made).counts
        assert rows(path, "SELECT max(duration_max_ns) FROM rollups WHERE resolution = ?", level) == [
            (max(each.duration_ns for each in made),)
        ]
        sums = "SELECT sum(count), sum(transactions), sum(duration_ns) FROM statement_rollups"
        assert rows(path, f"{sums} WHERE resolution = ?", level) == [(4000, 2000, 6_000_000_000)]
        sums = "SELECT sum(transactions), sum(count), max(count_max) FROM insight_rollups"
        assert rows(path, f"{sums} WHERE resolution = ?", level) == [(2000, 4000, 2)]
    for level in (600, 3600, 86400):
        assert rows(path, "SELECT sum(count), sum(weight_ns) FROM profiles WHERE resolution = ?", level) == [
            (4000, 4_000_000_000)
        ]


def test_two_workers_add_up_exactly(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    first, second = SQLiteStore(str(path), process(1)), SQLiteStore(str(path), process(2))
    start = 1_790_000_000 * SECOND
    for n in range(20):
        for store in (first, second):
            store.write([record(f"GET /{k % 5}", start + (n * 50 + k) * SECOND // 10) for k in range(50)])
    first.close()
    second.close()
    assert rows(path, "SELECT count(*) FROM transactions") == [(2000,)]
    assert rows(path, "SELECT count(*) FROM processes") == [(2,)]
    assert rows(path, "SELECT count(*) FROM releases") == [(1,)]
    assert rows(path, "SELECT count(*) FROM endpoints") == [(5,)]
    assert sums_agree(path)


def test_memory_counts_only_where_nothing_overlapped(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    store.write([record(), record(overlap=3), record(rss_after=None), record(cpu_ns=None, queue_ns=500)])
    store.close()
    assert rows(
        path,
        "SELECT rss_bytes, rss_count, cpu_ns, cpu_count, queue_ns, queue_count FROM rollups WHERE resolution = 60",
    ) == [(2 * 4096, 2, 6_000_000, 3, 500, 1)]


def test_the_worst_transaction_gives_an_insight_its_words(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    start = 1_790_000_000 * SECOND
    made = [
        record(
            at=start + n, insights=[Insight("slow_query", f"takes {n} ms", n * 1_000_000, 1, VIEW, STATEMENT)]
        )
        for n in (3, 200, 5)
    ]
    for each in made:
        store.write([each])
    store.close()
    for level in LEVELS:
        columns = "transactions, cost_ns, cost_max_ns, text, transaction_id"
        assert rows(path, f"SELECT {columns} FROM insight_rollups WHERE resolution = ?", level) == [
            (3, 208_000_000, 200_000_000, "takes 200 ms", made[1].id)
        ]


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("together", [True, False])
def test_of_two_as_bad_it_is_the_later_in_whichever_order_they_are_written(
    tmp_path: Path, order: tuple[int, ...], together: bool
) -> None:
    """Else the same example would be another one where a day is read by its hours."""
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    start = 1_790_000_000 * SECOND
    made = [
        record(at=start + n, id=7 + n, insights=[Insight("hot_line", f"the {n}th", cost, 1, VIEW)])
        for n, cost in enumerate((2_000_000, 2_000_000, 1_000_000))
    ]
    written = [made[n] for n in order]
    for batch in [written] if together else [[each] for each in written]:
        store.write(batch)
    store.close()
    for level in LEVELS:
        assert rows(path, "SELECT text, transaction_id FROM insight_rollups WHERE resolution = ?", level) == [
            ("the 1th", 8)
        ]


def test_two_transactions_of_one_id_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    one = record()
    store.write([one])
    store.write([record(id=one.id), record(id=one.id)])
    store.close()
    assert rows(path, "SELECT count(DISTINCT id) FROM transactions") == [(3,)]
    assert sums_agree(path)


def test_state_and_life_of_a_process(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process(4242))
    store.write([record()], {"recorder": {"queued": 0}, "rss": 77})
    store.write([], {"recorder": {"queued": 1}, "rss": None})
    store.close()
    assert rows(path, "SELECT pid, rss, state FROM processes") == [(4242, 77, '{"recorder":{"queued":1}}')]


def test_a_record_that_cannot_be_kept_takes_nothing_with_it(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    try:
        store.write([record(), record(status=2**80)])
    except OverflowError:
        pass
    store.write([record("GET /after")])
    store.close()
    assert rows(path, "SELECT name FROM endpoints") == [("GET /after",)]
    assert sums_agree(path)


def test_a_first_batch_of_two_equal_ids_is_introduced_whole(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process(release="2.1"))
    first, again = record(), record()
    again.id = first.id
    store.write([first, again])
    store.write([record()])
    store.close()
    assert rows(path, "SELECT count(*), count(DISTINCT id) FROM transactions") == [(3, 3)]
    who = (
        "SELECT DISTINCT l.version, p.service FROM transactions r"
        " LEFT JOIN releases l ON l.id = r.release_id LEFT JOIN processes p ON p.id = r.process_id"
    )
    assert rows(path, who) == [("2.1", "shop")]
    assert sums_agree(path)
