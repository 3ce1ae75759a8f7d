"""mysqlclient and a real MariaDB: what is seen, and that nothing else changed."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from apm_agent.instruments import patching
from databases import built

MySQLdb = built("MySQLdb")
built("MySQLdb.cursors")
built("MySQLdb.connections")
pytestmark = pytest.mark.server


@pytest.fixture
def address(instruments: None, mariadb: int) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": mariadb, "user": "apm", "password": "a-password", "database": "shop"}


@pytest.fixture
def connection(address: dict[str, Any]) -> Iterator[Any]:
    with MySQLdb.connect(**address) as opened:
        opened.cursor().execute("create temporary table item (id integer primary key, name text)")
        yield opened


def seen(spans: list[Any]) -> list[tuple[str, int | None]]:
    """What was run, and the rows."""
    assert {(s.kind, s.tags["system"], s.parent) for s in spans} <= {("db", "mysql", None)}
    assert {s.place[0].co_filename if s.place else "" for s in spans} <= {__file__}
    return [(s.statement or s.name, s.tags.get("rows")) for s in spans]


def test_each_way_to_run_a_statement_is_one_span(
    traced: Any, address: dict[str, Any], connection: Any
) -> None:
    with traced() as spans:
        MySQLdb.connect(**address, autocommit=True, init_command="set @a = 1").close()
        with connection.cursor() as cursor:
            assert cursor.executemany("insert into item values (%s, %s)", [(1, "Ada"), (2, "Bob")]) == 2
            assert cursor.executemany("update item set name = %s where id = %s", [("A", 1), ("B", 2)]) == 2
            connection.commit()
            assert cursor.execute("select name from item where id = %(id)s", {"id": 1}) == 1
            assert cursor.fetchone() == ("A",)
            cursor.execute(query=b"select 2")
        connection.begin()
        connection.rollback()
        connection.autocommit(True)
        connection.autocommit(True)  # is already
    assert seen(spans) == [
        ("connect", None), ("insert into item values (%s, %s)", 2), ("update item set name = %s where id = %s", 2),
        ("COMMIT", None), ("select name from item where id = %(id)s", 1), ("select 2", 1), ("BEGIN", None),
        ("ROLLBACK", None), ("SET AUTOCOMMIT", None),
    ]  # fmt: skip


def test_a_procedure_is_one_span(traced: Any, connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("create or replace procedure twice(n int) select n * 2")
    with traced() as spans:
        assert cursor.callproc("twice", (21,)) == (21,)
        assert cursor.fetchall() == ((42,),)
    cursor.close()
    connection.cursor().execute("drop procedure twice")
    assert seen(spans) == [("CALL twice", None)]


def test_r17_rows_come_as_they_came(traced: Any, connection: Any) -> None:
    class Counting(MySQLdb.cursors.DictCursor):
        runs = 0

        def execute(self, query: Any, args: Any = None) -> Any:
            self.runs += 1
            return super().execute(query.replace("{table}", "item"), args)

    with traced() as spans:
        cursor = connection.cursor(Counting)
        cursor.execute("insert into {table} values (1, 'Ada')")
        cursor.execute("select * from {table}")
        assert (cursor.fetchall(), cursor.runs) == (({"id": 1, "name": "Ada"},), 2)
        with connection.cursor(MySQLdb.cursors.SSDictCursor) as far:
            assert isinstance(far, MySQLdb.cursors.CursorUseResultMixIn)
            far.execute("select seq from seq_1_to_1000")
            assert far.fetchone() == {"seq": 1}
            assert len(far.fetchmany(10)) == 10
            assert sum(1 for _ in far) == 989
    assert seen(spans) == [
        ("insert into item values (1, 'Ada')", 1), ("select * from item", 1), ("select seq from seq_1_to_1000", None),
        ("FETCH", 10),
    ]  # fmt: skip


def test_r18_errors_close_spans_and_pass_through(
    traced: Any, address: dict[str, Any], connection: Any
) -> None:
    with traced() as spans:
        cursor = connection.cursor()
        with pytest.raises(MySQLdb.ProgrammingError, match="nowhere"):
            cursor.execute("select * from nowhere")
        with pytest.raises(TypeError):
            cursor.execute()
        with pytest.raises(MySQLdb.OperationalError):
            MySQLdb.connect(**{**address, "password": "canary"})
    assert [s.tags.get("error") for s in spans] == ["ProgrammingError", "TypeError", "OperationalError"]
    assert "canary" not in repr([(s.name, s.tags) for s in spans])


def test_sqlalchemy_and_its_driver_are_one_span(traced: Any, address: dict[str, Any], mariadb: int) -> None:
    engine = sa.create_engine(f"mysql+mysqldb://apm:a-password@127.0.0.1:{mariadb}/shop")
    with engine.connect():
        pass
    with traced() as spans, engine.begin() as connection:
        assert connection.execute(sa.text("select :n"), {"n": 1}).scalar() == 1
    engine.dispose()
    assert seen(spans) == [("select %s", 1), ("COMMIT", None), ("ROLLBACK", None)]


def test_r12_r43_signatures_are_kept_and_the_very_objects_come_back(address: dict[str, Any]) -> None:
    owners = (
        MySQLdb.cursors.BaseCursor,
        MySQLdb.cursors.CursorUseResultMixIn,
        MySQLdb.connections.Connection,
    )
    patching.remove()
    before = {owner: dict(vars(owner)) for owner in owners}
    commit = MySQLdb.connections.Connection.commit
    patching.apply()
    changed = [(o, name, was) for o in owners for name, was in before[o].items() if vars(o)[name] is not was]
    assert len(changed) == 8
    for owner, name, was in changed:
        assert inspect.isfunction(getattr(owner, name))
        assert inspect.signature(getattr(owner, name)) == inspect.signature(was)
        assert pickle.loads(pickle.dumps(getattr(owner, name))) is getattr(owner, name)
    now = MySQLdb.connections.Connection.commit
    assert now is not commit
    for ask in (inspect.ismethoddescriptor, inspect.isroutine, inspect.getdoc, repr):
        assert ask(now) == ask(commit)
    with MySQLdb.connect(**address) as connection:
        assert inspect.isbuiltin(connection.commit)
        assert connection.commit() is None
    patching.remove()
    assert all(vars(owner)[name] is was for owner, name, was in changed)
    assert "commit" not in vars(MySQLdb.connections.Connection)
    assert MySQLdb.connections.Connection.commit is commit
