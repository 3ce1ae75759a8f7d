"""asyncpg and a real PostgreSQL: what is seen, and that nothing else changed."""

from __future__ import annotations

import asyncio
import inspect
import io
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import asyncpg.cursor
import asyncpg.pool
import asyncpg.prepared_stmt
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import drivers
from apm_agent.tracing.current import current
from drivers import assert_rows_are_its_time, assert_same_and_back, tags_of
from pools import AsyncHolder

pytestmark = pytest.mark.server


@pytest.fixture
def address(instruments: None, postgresql: int) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": postgresql,
        "user": "postgres",
        "password": "x",
        "database": "postgres",
    }


@pytest.fixture
async def connection(address: dict[str, Any]) -> AsyncIterator[Any]:
    opened = await asyncpg.connect(**address)
    await opened.execute("create temporary table item (id integer primary key, name text)")
    yield opened
    await opened.close()


def seen(spans: list[Any]) -> list[tuple[str, int | None]]:
    """What was run, and the rows."""
    assert {s.place[0].co_filename if s.place else "" for s in spans} <= {__file__}
    return drivers.seen(spans, "postgresql")


async def test_each_way_to_run_a_statement_is_one_span(
    traced: Any, address: dict[str, Any], connection: Any
) -> None:
    with traced() as spans:
        await (await asyncpg.connect(**address)).close()
        await connection.executemany("insert into item values ($1, $2)", [(1, "Ada"), (2, "Bob"), (3, "Eve")])
        assert await connection.execute("update item set name = 'A' where id < $1", 3) == "UPDATE 2"
        assert len(await connection.fetch("select * from item")) == 3
        assert await connection.fetchval("select 7") == 7
        assert (await connection.fetchrow("select 1 as a, 2 as b"))["b"] == 2
        async with connection.transaction():
            await connection.execute("delete from item where id = 3")
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.fetch("select * from nowhere")
    assert seen(spans) == [
        ("connect", None), ("insert into item values ($1, $2)", None), ("update item set name = 'A' where id < $1", 2),
        ("select * from item", 3), ("select 7", None), ("select 1 as a, 2 as b", 1), ("BEGIN;", None),
        ("delete from item where id = 3", 1), ("COMMIT;", None), ("select * from nowhere", None),
    ]  # fmt: skip
    assert {(s.kind, s.parent) for s in spans} == {("db", None)}
    assert spans[-1].tags["error"] == "UndefinedTableError"


async def test_r12_prepared_statements_are_coroutines_still(traced: Any, connection: Any) -> None:
    with traced() as spans:
        prepared = await connection.prepare("select generate_series(1, $1::int)")
        made = prepared.fetch(3)
        assert inspect.iscoroutine(made)
        assert len(await made) == 3
        assert await prepared.fetchval(2) == 1
        assert (await prepared.fetchrow(2))[0] == 1
        inserting = await connection.prepare("insert into item values ($1, 'x')")
        await inserting.executemany([(1,), (2,)])
        if hasattr(prepared, "fetchmany"):  # since 0.30
            assert len(await connection.fetchmany("select 1 where $1 = 1", [(1,), (2,)])) == 1
    many = [("select 1 where $1 = 1", None)] if hasattr(prepared, "fetchmany") else []
    series = "select generate_series(1, $1::int)"
    assert seen(spans) == [
        ("PREPARE", None), (series, 3), (series, 1), (series, 1), ("PREPARE", None),
        ("insert into item values ($1, 'x')", None), *many,
    ]  # fmt: skip


async def test_r17_cursors_stay_on_the_server(traced: Any, connection: Any) -> None:
    with traced() as spans:
        async with connection.transaction(readonly=True):
            rows = [row[0] async for row in connection.cursor("select generate_series(1, 120)", prefetch=50)]
            assert rows[-1] == 120
            cursor = await connection.cursor("select generate_series(1, 9)")
            assert await cursor.forward(2) == 2
            assert len(await cursor.fetch(5)) == 5
            assert (await cursor.fetchrow())[0] == 8
            prepared = await connection.prepare(
                "select n, pg_sleep(0.002) from generate_series(1, $1::int) n"
            )
            slowly = await prepared.cursor(4)
            assert len(await slowly.fetch(9)) == 4
            assert repr(slowly).startswith('<asyncpg.Cursor "select n, ')
    assert seen(spans)[1:-1] == [
        ("select generate_series(1, 120)", 120), ("select generate_series(1, 9)", 6), ("PREPARE", None),
        ("select n, pg_sleep(0.002) from generate_series(1, $1::int) n", 4),
    ]  # fmt: skip
    iterated = spans[1]
    assert tags_of(iterated)["first_row_ns"] == iterated.end_ns - iterated.start_ns  # it came with the call
    assert tags_of(iterated)["fetch_ns"] > 0
    assert_rows_are_its_time(spans[2], 6)
    assert_rows_are_its_time(spans[4], 4)
    assert tags_of(spans[4])["fetch_ns"] >= 4 * 2_000_000


async def test_what_a_cursor_reads_is_its_transactions(traced: Any, connection: Any) -> None:
    async with connection.transaction():
        cursor = await connection.cursor("select generate_series(1, 9)")
        with traced() as outside:
            assert len(await cursor.fetch(2)) == 2
        with traced() as spans:
            cursor = await connection.cursor("select 1 / (4 - generate_series(1, 9))")
            assert len(await cursor.fetch(2)) == 2
        with traced() as later, pytest.raises(asyncpg.DivisionByZeroError):
            await cursor.fetch(2)
    assert seen(outside) == [("FETCH", 2)]
    assert_rows_are_its_time(spans[0], 2)
    assert [tags_of(span) for span in later] == [{"system": "postgresql", "error": "DivisionByZeroError"}]


async def test_r17_copy_codecs_and_notices(traced: Any, connection: Any) -> None:
    notices: list[str] = []
    connection.add_log_listener(lambda _, message: notices.append(message.message))
    await connection.set_type_codec(
        "json", encoder=str, decoder=lambda text: f"<{text}>", schema="pg_catalog"
    )

    async def records() -> AsyncIterator[tuple[int, str]]:
        yield (3, "Eve")
        assert current.get().name == "COPY item"  # type: ignore[union-attr]

    with traced() as spans:
        assert await connection.copy_records_to_table("item", records=[(1, "Ada"), (2, "Bob")]) == "COPY 2"
        await connection.copy_records_to_table("item", records=records())
        out = io.BytesIO()
        await connection.copy_from_query("select id from item where id < $1", 3, output=out)
        await connection.copy_from_table("item", columns=["name"], output=out)
        assert out.getvalue() == b"1\n2\nAda\nBob\nEve\n"
        await connection.copy_to_table("item", source=io.BytesIO(b"4\tDan\n"))
        assert await connection.fetchval("select '1'::json") == "<1>"
        await connection.execute("do $$ begin raise notice 'mind the gap'; end $$")
    assert notices == ["mind the gap"]
    assert seen(spans)[:5] == [
        ("COPY item", 2), ("COPY item", 1), ("select id from item where id < $1", 2), ("COPY item", 3),
        ("COPY item", 1),
    ]  # fmt: skip


async def test_waiting_for_the_pool_is_a_wait_of_its_own(traced: Any, address: dict[str, Any]) -> None:
    async with asyncpg.create_pool(**address, min_size=1, max_size=1) as pool:
        held = await pool.acquire()
        assert isinstance(held, asyncpg.pool.PoolConnectionProxy)
        holder = AsyncHolder(lambda: pool.release(held))
        with traced() as spans:
            holder.watch(spans)
            async with pool.acquire() as connection:
                assert await connection.fetchval("select 1") == 1
            assert await pool.fetchval("select 2") == 2
        released_ns = await holder.done()
    assert [(s.kind, s.statement or s.name) for s in spans] == [
        ("wait", "connection pool"), ("db", "select 1"), ("db", "RESET"), ("wait", "connection pool"),
        ("db", "select 2"), ("db", "RESET"),
    ]  # fmt: skip
    assert spans[0].start_ns < released_ns < spans[0].end_ns
    assert {s.parent for s in spans} == {None}
    assert seen(spans)


async def test_r18_a_cancelled_statement_closes_its_span(traced: Any, connection: Any) -> None:
    with traced() as spans:
        with pytest.raises((asyncio.TimeoutError, TimeoutError)):
            await connection.execute("select pg_sleep(60)", timeout=0.01)
        assert await connection.fetchval("select 1") == 1
    assert [s.tags.get("error") for s in spans] == ["TimeoutError", None]


async def test_sqlalchemy_and_its_driver_are_one_span(
    traced: Any, address: dict[str, Any], postgresql: int
) -> None:
    engine = create_async_engine(f"postgresql+asyncpg://postgres@127.0.0.1:{postgresql}/postgres")
    async with engine.connect():
        pass
    with traced() as spans:
        async with engine.begin() as connection:
            assert (await connection.execute(sa.text("select 1"))).scalar() == 1
            await connection.execute(sa.text("select 2 where 1 = :n"), [{"n": 1}, {"n": 2}])
    await engine.dispose()
    assert [name.partition(" ")[0] for name, _ in seen(spans)] == ["select", "select", "COMMIT;"]


def test_r12_r43_kinds_are_kept_and_the_very_objects_come_back() -> None:
    owners = (
        asyncpg.Connection, asyncpg.prepared_stmt.PreparedStatement, asyncpg.cursor.BaseCursor, asyncpg.pool.Pool,
        asyncpg.connect_utils,
    )  # fmt: skip
    # The private name never led to it.
    assert_same_and_back(
        owners, 17, inspect.iscoroutinefunction, unpicklable=["_PreparedStatement__do_execute"]
    )
