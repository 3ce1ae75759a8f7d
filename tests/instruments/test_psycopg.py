"""psycopg 3 and a real PostgreSQL: what is seen, and that nothing else changed."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import psycopg_pool
import pytest
import sqlalchemy as sa
from psycopg import sql
from psycopg.rows import dict_row, namedtuple_row
from sqlalchemy.ext.asyncio import create_async_engine

import drivers
from apm_agent.tracing.current import current
from drivers import assert_rows_are_its_time, assert_same_and_back, tags_of

pytestmark = pytest.mark.server
TABLE = "create temporary table item (id integer primary key, name text)"


@pytest.fixture
def conninfo(instruments: None, postgresql: int) -> str:
    return f"host=127.0.0.1 port={postgresql} user=postgres password=a-password dbname=postgres"


@pytest.fixture
def connection(conninfo: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(conninfo) as opened:
        opened.execute(TABLE)
        opened.commit()
        yield opened


@pytest.fixture
async def async_connection(conninfo: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(conninfo) as opened:
        await opened.execute(TABLE)
        await opened.commit()
        yield opened


def seen(spans: list[Any]) -> list[tuple[str, int | None]]:
    """What was run, and the rows."""
    return drivers.seen(spans, "postgresql")


def files(spans: list[Any]) -> set[str]:
    """Whose lines asked for it."""
    return {s.place[0].co_filename if s.place else "" for s in spans}


def test_each_way_to_run_a_statement_is_one_span(
    traced: Any, conninfo: str, connection: psycopg.Connection[Any]
) -> None:
    with traced() as spans:
        with psycopg.connect(conninfo) as other:
            other.execute("select 1")
        cursor = connection.cursor()
        cursor.executemany("insert into item values (%s, %s)", [(1, "Ada"), (2, "Bob"), (3, "Eve")])
        connection.commit()
        connection.commit()  # nothing to commit: nothing is sent
        assert connection.execute("select name from item order by id").fetchall()[0] == ("Ada",)
        assert cursor.execute(b"select 2") is cursor
        assert list(cursor.stream("select id from item where id < 3 order by id")) == [(1,), (2,)]
        connection.rollback()
        assert connection.pgconn.transaction_status == 0
    assert seen(spans) == [
        ("connect", None), ("select 1", 1), ("COMMIT", None), ("insert into item values (%s, %s)", 3),
        ("COMMIT", None), ("select name from item order by id", 3), ("select 2", 1),
        ("select id from item where id < 3 order by id", None), ("ROLLBACK", None),
    ]  # fmt: skip
    assert {(s.kind, s.parent) for s in spans} == {("db", None)}
    assert files(spans) == {__file__}


async def test_each_async_way_too(
    traced: Any, conninfo: str, async_connection: psycopg.AsyncConnection[Any]
) -> None:
    with traced() as spans:
        async with await psycopg.AsyncConnection.connect(conninfo) as other:
            await other.execute("select 1")
        cursor = async_connection.cursor()
        await cursor.executemany("insert into item values (%s, %s)", [(1, "Ada"), (2, "Bob"), (3, "Eve")])
        await async_connection.commit()
        await async_connection.commit()
        assert await cursor.execute("select name from item order by id") is cursor
        assert await cursor.fetchone() == ("Ada",)
        assert [row async for row in cursor.stream("select 2")] == [(2,)]
        await async_connection.rollback()
    assert seen(spans) == [
        ("connect", None), ("select 1", 1), ("COMMIT", None), ("insert into item values (%s, %s)", 3),
        ("COMMIT", None), ("select name from item order by id", 3), ("select 2", None), ("ROLLBACK", None),
    ]  # fmt: skip
    assert files(spans) == {__file__}


def test_transaction_blocks_say_how_they_ended(traced: Any, connection: psycopg.Connection[Any]) -> None:
    with traced() as spans:
        with connection.transaction():
            connection.execute("insert into item values (1, 'Ada')")
            with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
                connection.execute("insert into item values (1, 'Ada')")
        with connection.transaction(force_rollback=True):
            pass
    assert [name.partition(" ")[0] for name, _ in seen(spans)] == [
        "BEGIN", "insert", "SAVEPOINT", "insert", "ROLLBACK", "COMMIT", "BEGIN", "ROLLBACK",
    ]  # fmt: skip
    assert [s.tags.get("error") for s in spans][3:5] == ["UniqueViolation", None]


def test_r17_copy_notices_and_rows_are_what_they_were(
    traced: Any, connection: psycopg.Connection[Any]
) -> None:
    notices: list[str | None] = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    with traced() as spans:
        cursor = connection.cursor(row_factory=dict_row)
        with cursor.copy("copy item (id, name) from stdin") as copy:
            assert isinstance(copy, psycopg.Copy)
            for row in ((1, "Ada"), (2, "Bob")):
                copy.write_row(row)
        assert cursor.rowcount == 2
        with cursor.copy(sql.SQL("copy {} to stdout").format(sql.Identifier("item"))) as copy:
            assert list(copy.rows()) == [("1", "Ada"), ("2", "Bob")]
        assert cursor.execute("select * from item where id = 1").fetchone() == {"id": 1, "name": "Ada"}
        cursor.row_factory = namedtuple_row  # type: ignore[assignment]
        assert cursor.execute("select id from item where id = %(id)s", {"id": 2}).fetchone().id == 2  # type: ignore[attr-defined]
        connection.execute("do $$ begin raise notice 'mind the gap'; end $$")
        with pytest.raises(ZeroDivisionError), cursor.copy("copy item (id) from stdin") as copy:
            raise ZeroDivisionError
    assert notices == ["mind the gap"]
    assert seen(spans) == [
        ("copy item (id, name) from stdin", 2), ('copy "item" to stdout', 2),
        ("select * from item where id = 1", 1), ("select id from item where id = %(id)s", 1),
        ("do $$ begin raise notice 'mind the gap'; end $$", None), ("copy item (id) from stdin", None),
    ]  # fmt: skip
    assert spans[-1].tags["error"] == "ZeroDivisionError"


async def test_r17_async_copy(traced: Any, async_connection: psycopg.AsyncConnection[Any]) -> None:
    with traced() as spans:
        async with async_connection.cursor() as cursor:
            async with cursor.copy("copy item from stdin") as copy:
                await copy.write(b"1\tAda\n")
                await async_connection_free(cursor)
            async with cursor.copy("copy item to stdout") as copy:
                assert [bytes(data) async for data in copy] == [b"1\tAda\n"]
    assert seen(spans) == [("copy item from stdin", 1), ("copy item to stdout", 1)]


async def async_connection_free(cursor: Any) -> None:
    """The block's own work is inside its span."""
    assert current.get().statement == "copy item from stdin"  # type: ignore[union-attr]


def test_r17_server_side_cursors_stay_on_the_server(traced: Any, connection: psycopg.Connection[Any]) -> None:
    with traced() as spans:
        with connection.cursor("far") as cursor:
            assert isinstance(cursor, psycopg.ServerCursor)
            cursor.execute("select generate_series(1, 1000)")
            assert cursor.fetchone() == (1,)
            assert len(cursor.fetchmany(10)) == 10
            cursor.itersize = 100
            assert sum(1 for _ in cursor) == 989
            assert cursor.fetchall() == []
        connection.rollback()
    assert seen(spans) == [
        ("select generate_series(1, 1000)", 1000), ("ROLLBACK", None),
    ]  # fmt: skip
    assert_rows_are_its_time(spans[0], 1000)
    assert files(spans) == {__file__}


async def test_r17_async_server_side_cursors(
    traced: Any, async_connection: psycopg.AsyncConnection[Any]
) -> None:
    with traced() as spans:
        async with async_connection.cursor("far") as cursor:
            assert isinstance(cursor, psycopg.AsyncServerCursor)
            await cursor.execute("select generate_series(1, 3)")
            assert len(await cursor.fetchmany(2)) == 2
            assert [row async for row in cursor] == [(3,)]
            slowly = "select n, pg_sleep(0.002) from generate_series(1, 3) n"
            assert len(await (await cursor.execute(slowly)).fetchall()) == 3
    assert seen(spans) == [("select generate_series(1, 3)", 3), (slowly, 3)]
    for span in spans:
        assert_rows_are_its_time(span, 3)
    assert tags_of(spans[1])["fetch_ns"] >= 3 * 2_000_000


def test_what_a_server_side_cursor_reads_is_its_transactions(
    traced: Any, connection: psycopg.Connection[Any]
) -> None:
    with connection.cursor("far", withhold=True) as cursor:
        cursor.execute("select generate_series(1, 9)")
        with traced() as outside:
            assert cursor.fetchone() == (1,)
        with traced() as spans:
            cursor.execute("select generate_series(1, 9)")
            assert len(cursor.fetchmany(2)) == 2
        with traced() as later:
            assert len(cursor.fetchmany(3)) == 3
            assert cursor.execute("select 1 where false").fetchall() == []
    failing = "select 1 / (2 - generate_series(1, 2))"
    with traced() as failed, connection.cursor("fails") as cursor:
        cursor.execute(failing)
        with pytest.raises(psycopg.errors.DivisionByZero):
            cursor.fetchall()
    connection.rollback()
    assert seen(outside) == [("FETCH", 1)]
    assert_rows_are_its_time(spans[0], 2)
    assert seen(later) == [("FETCH", 3), ("select 1 where false", None)]
    assert [(span.statement, tags_of(span)["error"]) for span in failed] == [(failing, "DivisionByZero")]


def test_sqlalchemy_reads_on_with_its_statement(traced: Any, conninfo: str, postgresql: int) -> None:
    engine = sa.create_engine(f"postgresql+psycopg://postgres@127.0.0.1:{postgresql}/postgres")
    with engine.connect():
        pass
    with traced() as spans, engine.connect() as connection:
        rows = connection.execution_options(yield_per=4).execute(sa.text("select generate_series(1, 9)"))
        assert len(rows.all()) == 9
    engine.dispose()
    assert seen(spans)[0] == ("select generate_series(1, 9)", 9)
    assert_rows_are_its_time(spans[0], 9)


def test_r32_composed_values_never_reach_the_span(traced: Any, connection: psycopg.Connection[Any]) -> None:
    query = sql.SQL("select {fields} from {table} where name = {name} and id = {id}").format(
        fields=sql.SQL(", ").join(map(sql.Identifier, ("id", 'na"me'))), table=sql.Identifier("a", "b"),
        name=sql.Literal("canary"), id=sql.Placeholder(),
    )  # fmt: skip
    with traced() as spans:
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute(query, (1,))
        connection.rollback()
        connection.execute(sql.SQL("select 1"))
    assert spans[0].statement == 'select "id", "na""me" from "a"."b" where name = ? and id = ?'
    assert spans[0].tags == {"system": "postgresql", "error": "UndefinedTable"}
    assert spans[2].statement == "select 1"


def test_pipelines_send_what_they_sent(traced: Any, connection: psycopg.Connection[Any]) -> None:
    with traced() as spans, connection.pipeline():
        cursors = [connection.execute("select %s::int", (n,)) for n in range(3)]
        assert [c.fetchone() for c in cursors] == [(0,), (1,), (2,)]
    assert [name for name, _ in seen(spans)][:3] == ["select %s::int"] * 3


async def test_r18_a_cancelled_statement_closes_its_span(
    traced: Any, conninfo: str, async_connection: psycopg.AsyncConnection[Any]
) -> None:
    sleeping = "select 1 from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active'"
    with psycopg.connect(conninfo, autocommit=True) as other, traced() as spans:
        task = asyncio.ensure_future(async_connection.execute("select pg_sleep(60)"))
        while not await asyncio.to_thread(lambda: other.execute(sleeping).fetchone()):
            pass
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await async_connection.rollback()
        ours = [s for s in spans if s.statement != sleeping]
    assert seen(ours) == [("select pg_sleep(60)", None), ("ROLLBACK", None)]
    assert [s.tags.get("error") for s in ours] == ["CancelledError", None]


def test_sqlalchemy_and_its_driver_are_one_span(traced: Any, conninfo: str, postgresql: int) -> None:
    engine = sa.create_engine(f"postgresql+psycopg://postgres@127.0.0.1:{postgresql}/postgres")
    with engine.connect():
        pass
    with traced() as spans, engine.begin() as connection:
        connection.execute(sa.text("select 1"))
        connection.execute(sa.text("select :n"), [{"n": 1}, {"n": 2}])
    engine.dispose()
    assert [(name.partition(" ")[0], rows) for name, rows in seen(spans)] == [
        ("select", 1), ("select", 2), ("COMMIT", None),
    ]  # fmt: skip


async def test_async_sqlalchemy_and_its_driver_are_one_span(
    traced: Any, conninfo: str, postgresql: int
) -> None:
    engine = create_async_engine(f"postgresql+psycopg_async://postgres@127.0.0.1:{postgresql}/postgres")
    async with engine.connect():
        pass
    with traced() as spans:
        async with engine.begin() as connection:
            await connection.execute(sa.text("select 1"))
    await engine.dispose()
    assert seen(spans) == [("select 1", 1), ("COMMIT", None)]


def test_r12_r43_kinds_are_kept_and_the_very_objects_come_back() -> None:
    owners = (
        psycopg.Cursor, psycopg.AsyncCursor, psycopg.Connection, psycopg.AsyncConnection, psycopg.ServerCursor,
        psycopg.AsyncServerCursor, psycopg.Transaction, psycopg.AsyncTransaction, psycopg,
        psycopg_pool.ConnectionPool, psycopg_pool.AsyncConnectionPool,
    )  # fmt: skip
    asks = (
        inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction, inspect.ismethod,
    )  # fmt: skip
    assert_same_and_back(owners, 27, *asks)
