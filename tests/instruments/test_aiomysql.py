"""aiomysql and a real MariaDB: what is seen, and that nothing else changed."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any

import aiomysql
import aiomysql.connection
import aiomysql.cursors
import aiomysql.pool
import pymysql.err
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import drivers
from drivers import assert_rows_are_its_time, assert_same_and_back
from pools import AsyncHolder

pytestmark = pytest.mark.server


@pytest.fixture
def address(instruments: None, mariadb: int) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": mariadb, "user": "apm", "password": "a-password", "db": "shop"}


@pytest.fixture
async def connection(address: dict[str, Any]) -> AsyncIterator[Any]:
    opened = await aiomysql.connect(**address)
    async with opened.cursor() as cursor:
        await cursor.execute("create temporary table item (id integer primary key, name text)")
    yield opened
    await opened.ensure_closed()


def seen(spans: list[Any]) -> list[tuple[str, int | None]]:
    """What was run, and the rows."""
    assert {s.place[0].co_filename if s.place else "" for s in spans} <= {__file__}
    return drivers.seen(spans, "mysql")


async def test_each_way_to_run_a_statement_is_one_span(
    traced: Any, address: dict[str, Any], connection: Any
) -> None:
    with traced() as spans:
        other = await aiomysql.connect(**address, autocommit=True)
        await other.ensure_closed()
        async with connection.cursor() as cursor:
            assert await cursor.executemany("insert into item values (%s, %s)", [(1, "Ada"), (2, "Bob")]) == 2
            assert (
                await cursor.executemany("update item set name = %s where id = %s", [("A", 1), ("B", 2)]) == 2
            )
            await connection.commit()
            assert await cursor.execute("select name from item where id = %(id)s", {"id": 1}) == 1
            assert await cursor.fetchone() == ("A",)
        async with connection.cursor(aiomysql.DictCursor) as cursor:
            await cursor.execute(query="select 2 as n")
            assert await cursor.fetchall() == [{"n": 2}]
        await connection.begin()
        await connection.rollback()
        await connection.autocommit(True)
    assert seen(spans) == [
        ("connect", None), ("insert into item values (%s, %s)", 2), ("update item set name = %s where id = %s", 2),
        ("COMMIT", None), ("select name from item where id = %(id)s", 1), ("select 2 as n", 1), ("BEGIN", None),
        ("ROLLBACK", None), ("SET AUTOCOMMIT", None),
    ]  # fmt: skip
    assert {(s.kind, s.parent) for s in spans} == {("db", None)}


async def test_r17_unbuffered_cursors_stay_so(traced: Any, connection: Any) -> None:
    with traced() as spans:
        async with connection.cursor(aiomysql.SSDictCursor) as far:
            assert isinstance(far, aiomysql.SSCursor)
            await far.execute("select seq from seq_1_to_1000")
            assert await far.fetchone() == {"seq": 1}
            assert len(await far.fetchmany(10)) == 10
            assert len([row async for row in far]) == 989
            await far.execute("select 7 as seq")
            assert await far.fetchall() == [{"seq": 7}]
    assert seen(spans) == [("select seq from seq_1_to_1000", 1000), ("select 7 as seq", 1)]
    assert_rows_are_its_time(spans[0], 1000)
    assert_rows_are_its_time(spans[1], 1)


async def test_waiting_for_the_pool_is_a_wait_of_its_own(traced: Any, address: dict[str, Any]) -> None:
    async with aiomysql.create_pool(**address, minsize=1, maxsize=1) as pool:
        held = await pool.acquire()
        holder = AsyncHolder(lambda: pool.release(held))
        with traced() as spans:
            holder.watch(spans)
            async with pool.acquire() as connection, connection.cursor() as cursor:
                await cursor.execute("select 1")
            released_ns = await holder.done()
        pool.terminate()
    assert [(s.kind, s.statement or s.name) for s in spans] == [
        ("wait", "connection pool"),
        ("db", "select 1"),
    ]
    assert spans[0].start_ns < released_ns < spans[0].end_ns
    assert seen(spans)


async def test_r18_errors_and_cancelling_close_spans(
    traced: Any, address: dict[str, Any], connection: Any
) -> None:
    with traced() as spans:
        cursor = await connection.cursor()
        with pytest.raises(pymysql.err.ProgrammingError, match="nowhere"):
            await cursor.execute("select * from nowhere")
        with pytest.raises(pymysql.err.OperationalError):
            await aiomysql.connect(**{**address, "password": "canary"})
        with pytest.raises((TimeoutError, asyncio.TimeoutError)):
            await asyncio.wait_for(cursor.execute("select sleep(60)"), 0.01)
        connection.close()
    assert [s.tags.get("error") for s in spans] == ["ProgrammingError", "OperationalError", "CancelledError"]
    assert "canary" not in repr([(s.name, s.tags) for s in spans])


async def test_sqlalchemy_and_its_driver_are_one_span(
    traced: Any, address: dict[str, Any], mariadb: int
) -> None:
    engine = create_async_engine(f"mysql+aiomysql://apm:a-password@127.0.0.1:{mariadb}/shop")
    async with engine.connect():
        pass
    with traced() as spans:
        async with engine.begin() as connection:
            assert (await connection.execute(sa.text("select 1"))).scalar() == 1
    await engine.dispose()
    # The engine gives connections back in a task of its own, which has no line of the application's.
    assert [s.statement or s.name for s in spans] == ["select 1", "COMMIT", "ROLLBACK"]


def test_r12_r43_kinds_are_kept_and_the_very_objects_come_back() -> None:
    owners = (
        aiomysql.cursors.Cursor, aiomysql.cursors.SSCursor, aiomysql.connection.Connection, aiomysql.pool.Pool,
    )  # fmt: skip
    assert_same_and_back(owners, 11, inspect.iscoroutinefunction)
