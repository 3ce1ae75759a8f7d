"""psycopg2 and a real PostgreSQL: what is seen, and that nothing else changed."""

from __future__ import annotations

import inspect
import io
import pickle
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg2
import psycopg2.extensions
import psycopg2.extras
import psycopg2.pool
import pytest
import sqlalchemy as sa
from psycopg2 import sql

import drivers
from apm_agent.instruments import patching
from drivers import assert_rows_are_its_time, tags_of

pytestmark = pytest.mark.server


@pytest.fixture
def dsn(instruments: None, postgresql: int) -> str:
    return f"host=127.0.0.1 port={postgresql} user=postgres password=a-password dbname=postgres"


@pytest.fixture
def connection(dsn: str) -> Iterator[Any]:
    opened = psycopg2.connect(dsn)
    opened.cursor().execute("create temporary table item (id integer primary key, name text)")
    opened.commit()
    yield opened
    opened.close()


def seen(spans: list[Any]) -> list[tuple[str, int | None]]:
    """What was run, and the rows."""
    return drivers.seen(spans, "postgresql", __file__)


class Account(psycopg2.extensions.connection):
    """A user's connection, with cursors of its own."""

    made = 0

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        self.made += 1
        kwargs.setdefault("cursor_factory", Counting)
        return super().cursor(*args, **kwargs)


class Counting(psycopg2.extras.RealDictCursor):
    """A user's cursor."""

    runs = 0

    def execute(self, query: Any, vars: Any = None) -> Any:
        self.runs += 1
        return super().execute(query.replace("{table}", "item"), vars)


def test_each_way_to_run_a_statement_is_one_span(traced: Any, dsn: str, connection: Any) -> None:
    with traced() as spans:
        psycopg2.connect(dsn).close()
        cursor = connection.cursor()
        cursor.executemany("insert into item values (%s, %s)", [(1, "Ada"), (2, "Bob")])
        psycopg2.extras.execute_values(cursor, "insert into item values %s", [(3, "Eve"), (4, "Dan")])
        rows = [(n, "x") for n in range(10, 20)]
        psycopg2.extras.execute_batch(cursor, "insert into item values (%s, %s)", rows, page_size=3)
        connection.commit()
        connection.commit()
        assert cursor.execute("select name from item order by id") is None
        assert cursor.fetchall()[0] == ("Ada",)
        cursor.execute(query=b"select 2", vars=None)
        cursor.callproc("pg_backend_pid")
        with connection:
            cursor.execute("delete from item")
        cursor.execute("select 1")
        connection.rollback()
    assert seen(spans) == [
        ("connect", None), ("insert into item values (%s, %s)", 2), ("insert into item values %s", None),
        ("insert into item values (%s, %s)", None),
        ("COMMIT", None), ("select name from item order by id", 14), ("select 2", 1), ("CALL pg_backend_pid", 1),
        ("delete from item", 14), ("COMMIT", None), ("select 1", 1), ("ROLLBACK", None),
    ]  # fmt: skip


def test_r17_c_code_takes_connections_and_cursors_for_what_they_are(traced: Any, connection: Any) -> None:
    with traced():
        cursor = connection.cursor()
        assert isinstance(connection, psycopg2.extensions.connection)
        assert isinstance(cursor, psycopg2.extensions.cursor)
        assert (type(cursor).__name__, type(cursor).__module__) == ("cursor", "psycopg2.extensions")
        assert repr(cursor).startswith("<cursor object at ")
        assert not hasattr(cursor, "__dict__")
        assert psycopg2.extensions.quote_ident('a"b', connection) == '"a""b"'
        assert psycopg2.extensions.quote_ident("b", cursor) == '"b"'
        for scope in (connection, cursor):
            psycopg2.extensions.register_type(psycopg2.extensions.UNICODEARRAY, scope)
            psycopg2.extras.register_default_json(scope)
            psycopg2.extras.register_uuid(conn_or_curs=scope)
        psycopg2.extras.register_default_jsonb(connection)
        cursor.execute(
            "select %s::uuid, '{\"a\": 1}'::jsonb, %s", (uuid.UUID(int=7), psycopg2.extras.Json([1]))
        )
        assert cursor.fetchone() == (uuid.UUID(int=7), {"a": 1}, "[1]")
        assert sql.SQL("{}").format(sql.Identifier("x")).as_string(connection) == '"x"'
        assert cursor.mogrify("select %s", ("a",)) == b"select 'a'"
        assert cursor.connection is connection
        with pytest.raises(TypeError):
            pickle.dumps(connection)


def test_r17_rows_notices_and_factories_are_what_they_were(traced: Any, dsn: str, connection: Any) -> None:
    with traced() as spans:
        connection.cursor().execute("do $$ begin raise notice 'mind the gap'; end $$")
        assert connection.notices[-1].strip() == "NOTICE:  mind the gap"
        for factory, row in (
            (psycopg2.extras.RealDictCursor, {"id": 1}), (psycopg2.extras.DictCursor, [1]),
            (psycopg2.extras.NamedTupleCursor, (1,)),
        ):  # fmt: skip
            cursor = connection.cursor(cursor_factory=factory)
            assert isinstance(cursor, factory)
            cursor.execute("select 1 as id")
            assert cursor.fetchone() == row
        connection.cursor_factory = psycopg2.extras.RealDictCursor
        with connection.cursor() as cursor:
            cursor.execute("select 2 as id")
            assert cursor.fetchall() == [{"id": 2}]
        logged = io.StringIO()
        logging = psycopg2.connect(dsn, connection_factory=psycopg2.extras.LoggingConnection)
        logging.initialize(logged)
        logging.cursor().execute("select 3")
        logging.close()
        assert "select 3" in logged.getvalue()
    assert [name for name, _ in seen(spans)][1:] == ["select 1 as id"] * 3 + [
        "select 2 as id",
        "connect",
        "select 3",
    ]


def test_the_users_own_factories_stay_outermost(traced: Any, dsn: str) -> None:
    for account in (psycopg2.connect(dsn, Account), psycopg2.connect(dsn, connection_factory=Account)):
        assert isinstance(account, Account)
        assert type(account).__name__ == "Account"
        with traced() as spans:
            cursor = account.cursor()
            cursor.execute("create temporary table {table} (id int)")
        assert isinstance(cursor, Counting)
        assert (account.made, cursor.runs) == (1, 1)
        assert seen(spans) == [("create temporary table item (id int)", None)]
        account.close()

    def make(dsn: str, **kwargs: Any) -> Any:
        return psycopg2.extensions.connection(dsn, **kwargs)

    plain = psycopg2.connect(dsn, connection_factory=make)
    assert type(plain) is psycopg2.extensions.connection
    plain.close()


def test_r17_replication_has_its_own_classes(traced: Any, dsn: str) -> None:
    with traced() as spans:
        replication = psycopg2.connect(dsn, connection_factory=psycopg2.extras.LogicalReplicationConnection)
        assert isinstance(replication, psycopg2.extras.LogicalReplicationConnection)
        cursor = replication.cursor()
        assert isinstance(cursor, psycopg2.extras.ReplicationCursor)
        cursor.execute("IDENTIFY_SYSTEM")
        assert cursor.fetchone()[3] == "postgres"
        replication.close()
    assert [name for name, _ in seen(spans)] == ["connect", "IDENTIFY_SYSTEM"]


def test_r17_copy_works_both_ways(traced: Any, connection: Any) -> None:
    out, whole = io.StringIO(), io.StringIO()
    with traced() as spans:
        cursor = connection.cursor()
        cursor.copy_from(io.StringIO("1\tAda\n2\tBob\n"), "item", columns=("id", "name"))
        cursor.copy_to(out, "item")
        cursor.copy_expert(sql.SQL("copy {} to stdout csv").format(sql.Identifier("item")), whole)
    assert out.getvalue() == "1\tAda\n2\tBob\n"
    assert whole.getvalue() == "1,Ada\n2,Bob\n"
    assert seen(spans) == [("COPY item", 2), ("COPY item", 2), ('copy "item" to stdout csv', 2)]


def test_r17_server_side_cursors_stay_on_the_server(traced: Any, connection: Any) -> None:
    with traced() as spans:
        with connection.cursor("far", withhold=True) as cursor:
            cursor.itersize = 100
            cursor.execute("select generate_series(1, 1000)")
            assert (cursor.fetchone(), len(cursor.fetchmany(10))) == ((1,), 10)
            assert sum(1 for _ in cursor) == 989
            assert cursor.fetchall() == []
        far = connection.cursor("also", psycopg2.extras.DictCursor)
        far.execute("select generate_series(1, 7) as id, pg_sleep(0.002)")
        assert (far.name, far.fetchone()["id"], len(far.fetchall())) == ("also", 1, 6)
        connection.rollback()
    thousand, slowly = spans[:2]
    assert [name.partition(",")[0] for name, _ in seen(spans)] == [
        "select generate_series(1", "select generate_series(1", "ROLLBACK",
    ]  # fmt: skip
    assert tags_of(thousand)["fetch"] == "iterated, in part not timed"
    assert tags_of(thousand)["first_row_ns"] > thousand.end_ns - thousand.start_ns
    assert_rows_are_its_time(slowly, 7)
    assert tags_of(slowly)["fetch_ns"] >= 7 * 2_000_000


def test_what_a_server_side_cursor_reads_is_its_transactions(traced: Any, connection: Any) -> None:
    with connection.cursor("far", withhold=True) as cursor:
        cursor.execute("select generate_series(1, 9)")
        connection.commit()
        with traced() as outside:
            assert cursor.fetchone() == (1,)
        with traced() as spans:
            other = connection.cursor("other", withhold=True)
            other.execute("select generate_series(1, 9)")
            assert len(other.fetchmany(2)) == 2
        with traced() as later:
            assert len(other.fetchmany(3)) == 3
            iterated = connection.cursor("third")
            iterated.execute("select 1 where false")
            assert list(iterated) == []
            failing = connection.cursor("fourth")
            failing.execute("select 1 / (2 - generate_series(1, 2))")
            with pytest.raises(psycopg2.errors.DivisionByZero):
                failing.fetchall()
        connection.rollback()
    assert seen(outside) == [("FETCH", 1)]
    assert_rows_are_its_time(spans[0], 2)
    assert [tags_of(span) for span in later] == [
        {"system": "postgresql", "rows": 3},
        {"system": "postgresql", "fetch": "iterated, in part not timed"},
        {"system": "postgresql", "error": "DivisionByZero", "fetch_ns": later[2].fetched.ns},
    ]


def test_r18_errors_close_spans_and_pass_through(traced: Any, connection: Any) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield (1, "Ada")
        raise KeyboardInterrupt

    with traced() as spans:
        cursor = connection.cursor()
        with pytest.raises(psycopg2.errors.UndefinedTable, match="nowhere"):
            cursor.execute("select * from nowhere")
        connection.rollback()
        with pytest.raises(KeyboardInterrupt):
            cursor.executemany("insert into item values (%s, %s)", rows())
        with pytest.raises(TypeError):
            cursor.execute()
        connection.close()
        with pytest.raises(psycopg2.InterfaceError):
            cursor.execute("select 1")
        with pytest.raises(psycopg2.InterfaceError):
            connection.commit()
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect("host=127.0.0.1 port=1 password=canary")
    assert [s.tags.get("error") for s in spans] == [
        "UndefinedTable", None, "KeyboardInterrupt", "TypeError", "InterfaceError", "InterfaceError",
        "OperationalError",
    ]  # fmt: skip


def test_r32_composed_values_never_reach_the_span(traced: Any, connection: Any) -> None:
    query = sql.SQL("select {} from {} where name = {}").format(
        sql.Identifier("id"), sql.Identifier("item"), sql.Literal("canary")
    )
    with traced() as spans:
        connection.cursor().execute(query)
    assert seen(spans) == [('select "id" from "item" where name = ?', None)]


def test_pools_give_what_they_gave(traced: Any, dsn: str) -> None:
    with traced() as spans:
        pool = psycopg2.pool.ThreadedConnectionPool(1, 2, dsn)
        connection = pool.getconn()
        connection.cursor().execute("select 1")
        pool.putconn(connection)
        pool.closeall()
    assert seen(spans) == [("connect", None), ("select 1", 1), ("ROLLBACK", None)]


def test_sqlalchemy_and_its_driver_are_one_span(traced: Any, dsn: str, postgresql: int) -> None:
    engine = sa.create_engine(f"postgresql+psycopg2://postgres@127.0.0.1:{postgresql}/postgres")
    with engine.connect():
        pass
    with traced() as spans, engine.begin() as connection:
        assert connection.execute(sa.text("select :n"), {"n": 1}).scalar() == 1
        connection.execute(sa.text("select :n"), [{"n": 1}, {"n": 2}])
    engine.dispose()
    assert [name for name, _ in seen(spans)] == ["select %(n)s", "select %(n)s", "COMMIT"]


def test_r12_r43_functions_are_the_very_objects_again() -> None:
    names = ((psycopg2, "connect"), (psycopg2.extras, "execute_batch"), (psycopg2.extras, "execute_values"))
    before = [vars(module)[name] for module, name in names]
    patching.apply()
    for (module, name), was in zip(names, before, strict=True):
        now = vars(module)[name]
        assert now is not was
        assert inspect.isfunction(now)
        assert inspect.signature(now) == inspect.signature(was)
        assert pickle.loads(pickle.dumps(now)) is now
    assert [state for state in patching.states() if state[0] == "psycopg2"] == [("psycopg2", "patched", "")]
    patching.remove()
    assert [vars(module)[name] for module, name in names] == before
