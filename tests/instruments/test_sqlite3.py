"""sqlite3 with real files: what is seen, and that nothing else changed."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apm_agent.config import Config
from apm_agent.instruments import patching
from apm_agent.model.origin import Origin
from apm_agent.model.span import Span
from apm_agent.model.transaction import Transaction
from apm_agent.recording.digest import Digest


class Account(sqlite3.Connection):
    """A user's connection, which makes cursors its own way."""

    made = 0

    def cursor(self, factory: Any = None) -> Any:
        self.made += 1
        return super().cursor(Counting)


class Counting(sqlite3.Cursor):
    """A user's cursor."""

    runs = 0

    def execute(self, sql: str, *args: Any) -> Any:
        self.runs += 1
        return super().execute(sql.replace("{table}", "t"), *args)


@pytest.fixture
def connection(instruments: None, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(tmp_path / "t.db")
    opened.execute("create table t (id integer primary key, name text)")
    opened.execute("insert into t values (1, 'Ada')")
    opened.commit()
    yield opened
    opened.close()


def test_each_way_to_run_a_statement_is_one_span(traced: Any, connection: sqlite3.Connection) -> None:
    with traced() as spans:
        assert connection.execute("select name from t where id = ?", (1,)).fetchone() == ("Ada",)
        cursor = connection.cursor()
        assert cursor.execute("select 1") is cursor
        cursor.executemany("insert into t (name) values (?)", [("a",), ("b",)])
        connection.executemany("insert into t (name) values (?)", iter([("c",)]))
        connection.commit()
        connection.commit()  # nothing to commit: nothing to see
        connection.executescript("create table u (id); drop table u;")
        with connection:
            connection.execute("delete from t where id > 1")
        cursor.execute("insert into t (name) values ('x')")
        connection.rollback()
    assert [(s.kind, s.name, s.statement) for s in spans] == [
        ("db", "", "select name from t where id = ?"),
        ("db", "", "select 1"),
        ("db", "", "insert into t (name) values (?)"),
        ("db", "", "insert into t (name) values (?)"),
        ("db", "COMMIT", None),
        ("db", "", "create table u (id); drop table u;"),
        ("db", "", "delete from t where id > 1"),
        ("db", "COMMIT", None),
        ("db", "", "insert into t (name) values ('x')"),
        ("db", "ROLLBACK", None),
    ]
    assert spans[2].tags == {"system": "sqlite", "rows": 2}
    assert spans[0].tags == {"system": "sqlite"}
    lines = [place[0].co_firstlineno for s in spans if (place := s.place) is not None]
    assert set(lines) == {test_each_way_to_run_a_statement_is_one_span.__code__.co_firstlineno}


def slowly() -> int:
    """SQL's own name for a function that takes a millisecond a row."""
    until = time.monotonic_ns() + 1_000_000
    while time.monotonic_ns() < until:
        pass
    return 1


LAZY = "select slowly() from (values (1), (2), (3), (4), (5))"


@pytest.mark.parametrize(
    "read",
    [
        lambda cursor: cursor.fetchall(),
        lambda cursor: [*cursor.fetchmany(2), *cursor.fetchmany(size=9)],
        lambda cursor: [*iter(cursor.fetchone, None)],
    ],
)
@pytest.mark.parametrize("of_cursor", [False, True])
def test_time_spent_fetching_is_the_statements(
    traced: Any, sink: list[Any], connection: sqlite3.Connection, of_cursor: bool, read: Any
) -> None:
    connection.create_function("slowly", 0, slowly)
    with traced() as spans:
        cursor = (connection.cursor() if of_cursor else connection).execute(LAZY)
        assert read(cursor) == [(1,)] * 5
        connection.execute("select 1")
    ran, fetched = spans[0].end_ns - spans[0].start_ns, spans[0].fetched
    assert (fetched.rows, fetched.iterated, fetched.error) == (5, False, None)
    assert fetched.ns >= 4_000_000  # the first row comes with the statement
    record = Digest(Config(), Origin()).digest(sink[-1])
    assert [span.tags for span in record.spans] == [
        {"system": "sqlite", "first_row_ns": ran, "fetch_ns": fetched.ns, "rows": 5},
        {"system": "sqlite"},
    ]
    assert record.spans[0].duration_ns == ran + fetched.ns
    assert record.times["db"] >= 5_000_000
    assert record.times["db"] <= record.duration_ns


def test_iterating_is_noted_and_not_timed(
    traced: Any, sink: list[Any], connection: sqlite3.Connection
) -> None:
    with traced() as spans:
        cursor = connection.execute("values (1), (2)")
        assert iter(cursor) is cursor
        assert [*cursor] == [(1,), (2,)]
    ran = spans[0].end_ns - spans[0].start_ns
    assert Digest(Config(), Origin()).digest(sink[-1]).spans[0].tags == {
        "system": "sqlite", "first_row_ns": ran, "fetch": "iterated, in part not timed",
    }  # fmt: skip


def test_r18_an_error_while_fetching_is_the_statements(
    traced: Any, sink: list[Any], connection: sqlite3.Connection
) -> None:
    def fail(row: int) -> int:
        return 1 // (2 - row)

    connection.create_function("fail", 1, fail)
    with traced() as spans:
        cursor = connection.execute("select fail(column1) from (values (1), (2))")
        with pytest.raises(sqlite3.OperationalError):
            cursor.fetchall()
    assert "error" not in (spans[0].tags or {})
    tags = Digest(Config(), Origin()).digest(sink[-1]).spans[0].tags
    assert tags is not None
    assert tags["error"] == "OperationalError"


def test_a_cursor_kept_for_long_keeps_no_transaction(
    traced: Any, sink: list[Any], connection: sqlite3.Connection
) -> None:
    cursor = connection.cursor()
    assert cursor.fetchone() is None  # before anything was executed
    assert list(cursor) == []
    with traced() as spans:
        cursor.execute("values (1), (2), (3)")
    assert cursor.fetchall() == [(1,), (2,), (3,)]  # after the transaction: harms nothing
    assert not [one for one in gc.get_referents(cursor) if isinstance(one, Span)]
    fetched = spans[0].fetched
    assert fetched is not None
    assert not [one for one in gc.get_referents(fetched) if isinstance(one, (Span, Transaction))]
    cursor.execute("values (4)")
    assert (cursor.fetchall(), fetched.rows) == ([(4,)], 3)


def test_a_users_cursor_with_slots_is_watched_but_for_its_fetches(
    traced: Any, connection: sqlite3.Connection
) -> None:
    class Slotted(sqlite3.Cursor):
        __slots__ = ("own",)

    with traced() as spans:
        cursor = connection.cursor(Slotted)
        cursor.own = 1
        assert cursor.execute("select 1").fetchall() == [(1,)]
    assert [span.statement for span in spans] == ["select 1"]
    assert isinstance(cursor, Slotted)


def test_r17_r12_a_connection_stays_a_connection(connection: sqlite3.Connection, tmp_path: Path) -> None:
    assert isinstance(connection, sqlite3.Connection)
    assert isinstance(connection.cursor(), sqlite3.Cursor)
    assert isinstance(connection.execute("select 1"), sqlite3.Cursor)
    assert repr(connection).startswith("<sqlite3.Connection object at ")
    assert repr(connection.cursor()).startswith("<sqlite3.Cursor object at ")
    assert not hasattr(connection.cursor(), "__dict__")
    connection.row_factory = sqlite3.Row
    assert dict(connection.execute("select * from t").fetchone()) == {"id": 1, "name": "Ada"}
    assert dict(connection.cursor().execute("select * from t").fetchone()) == {"id": 1, "name": "Ada"}
    copied = sqlite3.connect(tmp_path / "copy.db")
    connection.backup(copied)
    assert list(copied.iterdump()) == list(connection.iterdump())
    copied.close()
    with pytest.raises(TypeError):
        pickle.dumps(connection)


def test_the_users_own_factories_stay_outermost(traced: Any, tmp_path: Path) -> None:
    accounts = [sqlite3.connect(tmp_path / "a.db", factory=Account)]
    if sys.version_info < (3, 12):  # deprecated since
        accounts.append(sqlite3.connect(tmp_path / "b.db", 5.0, 0, "", True, Account))
    for account in accounts:
        assert isinstance(account, Account)
        assert (type(account).__name__, type(account).__module__) == ("Account", Account.__module__)
        account.executescript("create table t (id); insert into t values (1)")
        account.made = 0
        with traced() as spans:
            cursor = account.cursor()
            cursor.execute("select id from {table}")
            assert cursor.fetchall() == [(1,)]
        assert isinstance(cursor, Counting)
        assert (account.made, cursor.runs) == (1, 1)
        assert [s.statement for s in spans] == ["select id from t"]
        account.close()


def test_a_factory_that_is_a_function_is_left_alone(traced: Any, tmp_path: Path) -> None:
    def make(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        kwargs.pop("factory", None)
        return sqlite3.Connection(*args, **kwargs)

    with traced() as spans:
        connection = sqlite3.connect(tmp_path / "t.db", factory=make)
        assert type(connection) is sqlite3.Connection
        connection.execute("select 1")
        connection.close()
    assert spans == []


def test_r18_errors_close_spans_and_pass_through(traced: Any, connection: sqlite3.Connection) -> None:
    class Stop(BaseException):
        pass

    def stop() -> None:
        raise Stop

    def rows() -> Iterator[tuple[str]]:
        yield ("a",)
        raise Stop

    with traced() as spans:
        with pytest.raises(sqlite3.OperationalError, match="no such table: nowhere"):
            connection.execute("select * from nowhere")
        with pytest.raises(Stop):
            connection.executemany("insert into t (name) values (?)", rows())
        connection.rollback()
        with pytest.raises(TypeError):
            connection.execute()  # type: ignore[call-arg]
        connection.close()
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            connection.execute("select 1")
    assert [(s.tags or {}).get("error") for s in spans] == [
        "OperationalError", "Stop", None, "TypeError", "ProgrammingError",
    ]  # fmt: skip


def test_outside_a_transaction_nothing_is_kept(connection: sqlite3.Connection, sink: list[Any]) -> None:
    assert connection.execute("select name from t").fetchall() == [("Ada",)]
    seen: list[Any] = []

    def elsewhere() -> None:
        other = sqlite3.connect(":memory:")
        seen.extend(other.execute("select 1"))
        other.close()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [(1,)]
    assert sink == []


def test_r43_connect_is_the_very_object_again() -> None:
    before, inner = sqlite3.connect, sqlite3.dbapi2.connect
    for _ in range(2):
        patching.apply()
        patching.apply()
        assert sqlite3.connect is sqlite3.dbapi2.connect
        assert sqlite3.connect is not before
        assert inspect.isbuiltin(sqlite3.connect) or callable(sqlite3.connect)
        assert (
            repr(inspect.signature(sqlite3.connect)) == repr(inspect.signature(before))
            if _signed(before)
            else True
        )
        assert copy.deepcopy(sqlite3.connect) is sqlite3.connect
        assert pickle.loads(pickle.dumps(sqlite3.connect)) is before
        patching.remove()
        assert sqlite3.connect is before
        assert sqlite3.dbapi2.connect is inner


def _signed(function: Any) -> bool:
    try:
        inspect.signature(function)
    except ValueError:
        return False
    return True
