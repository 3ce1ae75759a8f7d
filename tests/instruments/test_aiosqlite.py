"""aiosqlite with real files: what is seen, and that nothing else changed."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import aiosqlite.context
import aiosqlite.core
import pytest

from apm_agent.config import Config
from apm_agent.instruments import patching
from apm_agent.model.origin import Origin
from apm_agent.recording.digest import Digest
from apm_agent.tracing.current import current


@pytest.fixture
async def connection(instruments: None, tmp_path: Path) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(tmp_path / "t.db") as opened:
        await opened.execute("create table item (id integer primary key, name text)")
        await opened.commit()
        yield opened


def seen(spans: list[Any]) -> list[tuple[str, int | None]]:
    """What was run, and the rows."""
    assert {(s.kind, s.tags["system"], s.parent) for s in spans} <= {("db", "sqlite", None)}
    assert {s.place[0].co_filename if s.place else "" for s in spans} <= {__file__}
    return [(s.statement or s.name, s.tags.get("rows")) for s in spans]


async def test_each_way_to_run_a_statement_is_one_span(
    traced: Any, tmp_path: Path, connection: aiosqlite.Connection
) -> None:
    with traced() as spans:
        await connection.executemany("insert into item values (?, ?)", [(1, "Ada"), (2, "Bob")])
        await connection.commit()
        await connection.commit()  # nothing to commit: nothing to see
        async with connection.execute("select name from item order by id") as cursor:
            assert [row[0] async for row in cursor] == ["Ada", "Bob"]
        cursor = await connection.cursor()
        assert await cursor.execute("delete from item where id = ?", (1,)) is cursor
        await connection.rollback()
        assert len(list(await connection.execute_fetchall("select * from item"))) == 2
        assert await connection.execute_insert("insert into item values (7, 'x')") == (7,)
        await cursor.executescript("delete from item; select 1;")
        await cursor.close()
    assert seen(spans) == [
        ("insert into item values (?, ?)", 2), ("COMMIT", None), ("select name from item order by id", None),
        ("delete from item where id = ?", 1), ("ROLLBACK", None), ("select * from item", 2),
        ("insert into item values (7, 'x')", None), ("delete from item; select 1;", None),
    ]  # fmt: skip


async def test_time_spent_fetching_is_the_statements(
    traced: Any, sink: list[Any], connection: aiosqlite.Connection
) -> None:
    with traced() as spans:
        async with connection.execute("values (1), (2), (3)") as cursor:
            assert await cursor.fetchone() == (1,)
            assert await cursor.fetchmany(1) == [(2,)]
            assert await cursor.fetchall() == [(3,)]
        async with connection.execute("values (1), (2)") as cursor:
            assert [row[0] async for row in cursor] == [1, 2]
    records = Digest(Config(), Origin()).digest(sink[-1]).spans
    for span, record, rows in zip(spans, records, (3, 2), strict=True):
        ran, fetched = span.end_ns - span.start_ns, span.fetched
        assert record.tags == {
            "system": "sqlite", "first_row_ns": ran, "fetch_ns": fetched.ns, "rows": rows,
        }  # fmt: skip
        assert record.duration_ns == ran + fetched.ns


async def test_r12_r17_what_is_returned_stays_what_it_was(
    traced: Any, tmp_path: Path, connection: aiosqlite.Connection
) -> None:
    with traced():
        made = connection.execute("select 1 as a")
        assert type(made) is aiosqlite.context.Result
        assert isinstance(await made, aiosqlite.Cursor)
        connection.row_factory = sqlite3.Row
        async with connection.execute("select 1 as a") as cursor:
            row = await cursor.fetchone()
        assert row is not None
        assert row["a"] == 1
        await connection.create_function("twice", 1, lambda n: n * 2)
        assert [tuple(r) for r in await connection.execute_fetchall("select twice(21)")] == [(42,)]
        async with aiosqlite.connect(tmp_path / "copy.db") as copy:
            await connection.backup(copy)
            assert [line async for line in copy.iterdump()] == [line async for line in connection.iterdump()]


async def test_r18_errors_and_cancelling_close_spans(traced: Any, connection: aiosqlite.Connection) -> None:
    slow = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000000) select max(i) from n"
    with traced() as spans:
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            await connection.execute("select * from nowhere")
        task = asyncio.ensure_future(connection.execute_fetchall(slow))
        while len(spans) < 2:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert current.get() is spans[0].transaction
        await connection.interrupt()
    assert [s.tags.get("error") for s in spans] == ["OperationalError", "CancelledError"]


def test_r43_the_very_object_comes_back() -> None:
    before = vars(aiosqlite.core.Connection)["_execute"]
    patching.apply()
    now = aiosqlite.core.Connection._execute
    assert now is not before
    assert inspect.iscoroutinefunction(now)
    assert inspect.signature(now) == inspect.signature(before)
    assert pickle.loads(pickle.dumps(now)) is now
    assert [state for state in patching.states() if state[0] == "aiosqlite"] == [("aiosqlite", "patched", "")]
    patching.remove()
    assert vars(aiosqlite.core.Connection)["_execute"] is before
