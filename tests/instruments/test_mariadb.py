"""MariaDB Connector/Python and a real MariaDB: what is seen, and that nothing else changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

import drivers
from databases import built
from drivers import assert_rows_are_its_time, assert_same_and_back, tags_of

connector = built("mariadb")
pytestmark = pytest.mark.server


@pytest.fixture
def address(instruments: None, mariadb: int) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": mariadb, "user": "apm", "password": "a-password", "database": "shop"}


@pytest.fixture
def connection(address: dict[str, Any]) -> Iterator[Any]:
    with connector.connect(**address) as opened:
        opened.cursor().execute("create temporary table item (id integer primary key, name varchar(20))")
        yield opened


def seen(spans: list[Any]) -> list[tuple[str, int | None]]:
    """What was run, and the rows."""
    return drivers.seen(spans, "mariadb", __file__)


def test_each_way_to_run_a_statement_is_one_span(
    traced: Any, address: dict[str, Any], connection: Any
) -> None:
    connection.cursor().execute("create or replace procedure twice_more(n int) select n * 2")
    with traced() as spans:
        connector.connect(**address).close()
        with connection.cursor() as cursor:
            cursor.executemany("insert into item values (?, ?)", [(1, "Ada"), (2, "Bob")])
            connection.commit()
            cursor.execute("select name from item where id = ?", (1,))
            assert cursor.fetchone() == ("Ada",)
            cursor.execute(statement="select 2")
            assert cursor.fetchall() == [(2,)]
        connection.begin()
        connection.rollback()
        with connection.cursor(dictionary=True, buffered=False) as cursor:
            cursor.execute("select seq from seq_1_to_1000")
            assert cursor.fetchone() == {"seq": 1}
            assert len(cursor.fetchmany(10)) == 10
            assert sum(1 for _ in cursor) == 989
        with connection.cursor() as cursor:
            cursor.callproc("twice_more", (21,))
            assert cursor.fetchone() == (42,)
    assert seen(spans) == [
        ("connect", None), ("insert into item values (?, ?)", 2), ("COMMIT", None),
        ("select name from item where id = ?", 1), ("select 2", 1), ("BEGIN", None), ("ROLLBACK", None),
        ("select seq from seq_1_to_1000", None), ("CALL twice_more", None),
    ]  # fmt: skip


def test_r17_rows_of_an_unbuffered_cursor_are_the_statements_time(traced: Any, connection: Any) -> None:
    with traced() as spans:
        with connection.cursor(dictionary=True, buffered=False) as far:
            far.execute("select seq from seq_1_to_1000")
            assert far.fetchone() == {"seq": 1}
            assert len(far.fetchmany(10)) == 10
            assert len(far.fetchall()) == 989
        with connection.cursor() as told:
            told.execute("select seq from seq_1_to_7 where seq < ?", (7,), buffered=False)
            assert [row for (row,) in told] == [*range(1, 7)]
            told.execute("select seq from seq_1_to_7", buffered=True)
            assert len(told.fetchall()) == 7
        with connection.cursor(buffered=False) as none:
            none.execute("select 1 from dual where 1 = 2")
            assert none.fetchall() == []
            none.execute("set @apm = 1")
            with pytest.raises(connector.ProgrammingError):
                none.fetchone()
    assert seen(spans)[0] == ("select seq from seq_1_to_1000", 1000)
    assert_rows_are_its_time(spans[0], 1000)
    assert tags_of(spans[1])["fetch"] == "iterated, in part not timed"
    assert seen(spans)[2] == ("select seq from seq_1_to_7", 7)
    assert "first_row_ns" not in tags_of(spans[2])
    assert "error" not in tags_of(spans[3])
    assert len(spans) == 5


def test_an_unbuffered_cursor_kept_for_long_tells_no_other_transaction(traced: Any, connection: Any) -> None:
    far = connection.cursor(buffered=False)
    with traced() as before:
        far.execute("select seq from seq_1_to_3")
        assert far.fetchone() == (1,)
    with traced() as after:
        assert len(far.fetchall()) == 2
    far.close()
    assert after == []
    assert_rows_are_its_time(before[0], 1)


def test_r17_users_classes_and_the_pool_work_on(traced: Any, address: dict[str, Any]) -> None:
    class Account(connector.Connection):  # type: ignore[misc, name-defined]
        pass

    with traced() as spans:
        account = connector.connect(**address, connectionclass=Account)
        assert isinstance(account, connector.Connection)
        assert type(account) is Account
        account.close()
        pool = connector.ConnectionPool(pool_name="one", pool_size=1, **address)
        connection = pool.get_connection()
        connection.cursor().execute("select 1")
        with pytest.raises(connector.PoolError):
            pool.get_connection()
        connection.close()
        pool.close()
    assert [s.statement or s.name for s in spans if s.name != "ROLLBACK"] == [
        "connect",
        "connect",
        "select 1",
    ]


def test_r18_errors_close_spans_and_pass_through(
    traced: Any, address: dict[str, Any], connection: Any
) -> None:
    with traced() as spans:
        cursor = connection.cursor()
        with pytest.raises(connector.ProgrammingError, match="nowhere"):
            cursor.execute("select * from nowhere")
        with pytest.raises(TypeError):
            cursor.execute()
        with pytest.raises(connector.OperationalError):
            connector.connect(**{**address, "password": "canary"})
    assert [s.tags.get("error") for s in spans] == ["ProgrammingError", "TypeError", "OperationalError"]
    assert "canary" not in repr([(s.name, s.tags) for s in spans])


def test_sqlalchemy_and_its_driver_are_one_span(traced: Any, address: dict[str, Any], mariadb: int) -> None:
    engine = sa.create_engine(f"mariadb+mariadbconnector://apm:a-password@127.0.0.1:{mariadb}/shop")
    with engine.connect():
        pass
    with traced() as spans, engine.begin() as connection:
        assert connection.execute(sa.text("select :n"), {"n": 1}).scalar() == 1
    engine.dispose()
    assert seen(spans) == [("select ?", 1), ("COMMIT", None), ("ROLLBACK", None)]


def test_r12_r43_signatures_are_kept_and_the_very_objects_come_back() -> None:
    assert_same_and_back((connector.Cursor, connector.Connection), 11)
