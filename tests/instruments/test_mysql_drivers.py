"""PyMySQL and mysqlclient, which are called alike, and a real MariaDB: what is seen, and that nothing else changed."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from databases import built
from drivers import assert_rows_are_its_time, seen, tags_of

pytestmark = pytest.mark.server


class Driver(NamedTuple):
    """What differs between them."""

    module: Any
    #: as SQLAlchemy calls it
    dialect: str
    #: how a parameter of SQLAlchemy's comes to it
    parameter: str
    #: what rows of a buffered cursor come in
    rows: type
    #: how many of seven rows are told when they are iterated
    iterated: int | None


@pytest.fixture(params=["pymysql", "mysqlclient"])
def driver(request: pytest.FixtureRequest) -> Driver:
    if request.param == "pymysql":
        return Driver(importlib.import_module("pymysql"), "pymysql", "%(n)s", list, 7)
    built("MySQLdb.cursors")
    return Driver(built("MySQLdb"), "mysqldb", "%s", tuple, None)


@pytest.fixture
def address(instruments: None, mariadb: int) -> dict[str, Any]:
    return {
        "host": "127.0.0.1", "port": mariadb, "user": "apm", "password": "a-password", "database": "shop",
    }  # fmt: skip


@pytest.fixture
def connection(driver: Driver, address: dict[str, Any]) -> Iterator[Any]:
    with driver.module.connect(**address) as opened:
        opened.cursor().execute("create temporary table item (id integer primary key, name text)")
        yield opened


def test_each_way_to_run_a_statement_is_one_span(
    traced: Any, driver: Driver, address: dict[str, Any], connection: Any
) -> None:
    with traced() as spans:
        driver.module.connect(**address, autocommit=True, init_command="set @a = 1").close()
        with connection.cursor() as cursor:
            assert cursor.executemany("insert into item values (%s, %s)", [(1, "Ada"), (2, "Bob")]) == 2
            changed = cursor.executemany("update item set name = %s where id = %s", [("A", 1), ("B", 2)])
            assert changed == 2
            connection.commit()
            assert cursor.execute("select name from item where id = %(id)s", {"id": 1}) == 1
            assert cursor.fetchone() == ("A",)
            cursor.execute(query=b"select 2")
        connection.begin()
        connection.rollback()
        connection.autocommit(True)
        connection.autocommit(True)  # is already
    assert seen(spans, "mysql", __file__) == [
        ("connect", None), ("insert into item values (%s, %s)", 2),
        ("update item set name = %s where id = %s", 2), ("COMMIT", None),
        ("select name from item where id = %(id)s", 1), ("select 2", 1), ("BEGIN", None), ("ROLLBACK", None),
        ("SET AUTOCOMMIT", None),
    ]  # fmt: skip


def test_a_procedure_is_one_span(traced: Any, driver: Driver, connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("create or replace procedure twice(n int) select n * 2")
    with traced() as spans:
        assert cursor.callproc("twice", (21,)) == (21,)
        assert cursor.fetchall() == ((42,),)
    cursor.close()
    connection.cursor().execute("drop procedure twice")
    assert seen(spans, "mysql", __file__) == [("CALL twice", None)]


def test_r17_rows_come_as_they_came(traced: Any, driver: Driver, connection: Any) -> None:
    class Counting(driver.module.cursors.DictCursor):  # type: ignore[misc, name-defined]
        runs = 0

        def execute(self, query: Any, args: Any = None) -> Any:
            self.runs += 1
            return super().execute(query.replace("{table}", "item"), args)

    with traced() as spans:
        cursor = connection.cursor(Counting)
        cursor.execute("insert into {table} values (1, 'Ada')")
        cursor.execute("select * from {table}")
        assert (cursor.fetchall(), cursor.runs) == (driver.rows([{"id": 1, "name": "Ada"}]), 2)
    assert seen(spans, "mysql", __file__) == [
        ("insert into item values (1, 'Ada')", 1), ("select * from item", 1),
    ]  # fmt: skip


def test_r17_rows_of_an_unbuffered_cursor_are_the_statements_time(
    traced: Any, driver: Driver, connection: Any
) -> None:
    thousand = "select seq from seq_1_to_1000"
    with traced() as spans:
        with connection.cursor(driver.module.cursors.SSDictCursor) as far:
            far.execute(thousand)
            assert far.fetchone() == {"seq": 1}
            assert len(far.fetchmany(10)) == 10
            assert len(far.fetchall()) == 989
            far.execute("select seq from seq_1_to_7")
            assert far.fetchone() == {"seq": 1}
            assert [row["seq"] for row in far] == [*range(2, 8)]
        with connection.cursor(driver.module.cursors.SSCursor) as far:
            far.execute("select 1 from dual where 1 = 2")
            assert not far.fetchall()
        with connection.cursor() as near:
            near.execute(thousand)
            assert len(near.fetchall()) == 1000
    assert seen(spans, "mysql", __file__) == [
        (thousand, 1000), ("select seq from seq_1_to_7", driver.iterated), ("select 1 from dual where 1 = 2", None),
        (thousand, 1000),
    ]  # fmt: skip
    assert_rows_are_its_time(spans[0], 1000)
    if driver.iterated is None:
        assert tags_of(spans[1])["fetch"] == "iterated, in part not timed"
        assert spans[1].fetched.first_ns > 0
    else:
        assert_rows_are_its_time(spans[1], driver.iterated)
    assert "first_row_ns" not in tags_of(spans[3])


def test_an_unbuffered_cursor_kept_for_long_tells_no_other_transaction(
    traced: Any, driver: Driver, connection: Any
) -> None:
    far = connection.cursor(driver.module.cursors.SSCursor)
    far.execute("select seq from seq_1_to_3")
    with traced() as outside:
        assert far.fetchone() == (1,)
    far.close()
    far = connection.cursor(driver.module.cursors.SSCursor)
    with traced() as before:
        far.execute("select seq from seq_1_to_3")
        assert far.fetchone() == (1,)
    with traced() as after:
        assert len(far.fetchall()) == 2
    far.close()
    assert (outside, after) == ([], [])
    assert_rows_are_its_time(before[0], 1)


def test_r18_errors_close_spans_and_pass_through(
    traced: Any, driver: Driver, address: dict[str, Any], connection: Any
) -> None:
    with traced() as spans:
        cursor = connection.cursor()
        with pytest.raises(driver.module.ProgrammingError, match="nowhere"):
            cursor.execute("select * from nowhere")
        with pytest.raises(TypeError):
            cursor.execute()
        with pytest.raises(driver.module.OperationalError):
            driver.module.connect(**{**address, "password": "canary"})
        far = connection.cursor(driver.module.cursors.SSCursor)
        # The second row cannot be made.
        far.execute("select (select seq from seq_1_to_2 where seq <= n.seq) from seq_1_to_2 n")
        with pytest.raises(driver.module.OperationalError):
            far.fetchall()
        with contextlib.suppress(driver.module.Error):  # one of them raises it again
            far.close()
    assert [tags_of(span).get("error") for span in spans] == [
        "ProgrammingError", "TypeError", "OperationalError", "OperationalError",
    ]  # fmt: skip
    assert "canary" not in repr([(span.name, span.tags) for span in spans])


def test_sqlalchemy_and_its_driver_are_one_span(
    traced: Any, driver: Driver, address: dict[str, Any], mariadb: int
) -> None:
    engine = sa.create_engine(f"mysql+{driver.dialect}://apm:a-password@127.0.0.1:{mariadb}/shop")
    with engine.connect():
        pass
    with traced() as spans, engine.begin() as connection:
        assert connection.execute(sa.text("select :n"), {"n": 1}).scalar() == 1
        streamed = connection.execution_options(stream_results=True)
        assert len(streamed.execute(sa.text("select seq from seq_1_to_9")).all()) == 9
    engine.dispose()
    assert seen(spans, "mysql", __file__) == [
        (f"select {driver.parameter}", 1), ("select seq from seq_1_to_9", 9), ("COMMIT", None), ("ROLLBACK", None),
    ]  # fmt: skip
    assert_rows_are_its_time(spans[1], 9)
