"""peewee on each of its drivers: the driver's spans, each statement once."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peewee
import playhouse.pool
import playhouse.postgres_ext
import pytest

from pools import Holder

pytestmark = pytest.mark.server


def sqlite(folder: Path, port: int) -> Any:
    return peewee.SqliteDatabase(folder / "t.db")


def psycopg2(folder: Path, port: int) -> Any:
    return peewee.PostgresqlDatabase("postgres", host="127.0.0.1", port=port, user="postgres")


def psycopg3(folder: Path, port: int) -> Any:
    extension = playhouse.postgres_ext
    if not hasattr(extension, "Psycopg3Database"):
        extension = importlib.import_module("playhouse.psycopg3_ext")  # where it lay before peewee 4
    return extension.Psycopg3Database("postgres", host="127.0.0.1", port=port, user="postgres")


def pymysql(folder: Path, port: int) -> Any:
    return peewee.MySQLDatabase("shop", host="127.0.0.1", port=port, user="apm", password="a-password")


@pytest.mark.parametrize(
    ("make", "server"),
    [(sqlite, ""), (psycopg2, "postgresql"), (psycopg3, "postgresql"), (pymysql, "mariadb")],
)
def test_each_statement_is_one_span(
    traced: Any, tmp_path: Path, request: pytest.FixtureRequest, make: Callable[[Path, int], Any], server: str
) -> None:
    database = make(tmp_path, request.getfixturevalue(server) if server else 0)

    class Item(peewee.Model):  # type: ignore[misc]
        name = peewee.TextField()

        class Meta:
            table_name = "peewee_item"

    database.bind([Item])
    database.connect()
    database.create_tables([Item])
    with traced() as spans:
        with database.atomic():
            Item.create(name="Ada")
            assert Item.insert_many([{"name": "Bob"}, {"name": "Eve"}]).execute() is not None
        assert sorted(item.name for item in Item.select().where(Item.id < 9)) == ["Ada", "Bob", "Eve"]
        with pytest.raises(peewee.IntegrityError):
            Item.create(name=None)
    database.drop_tables([Item])
    database.close()
    found = [(s.statement or s.name).split()[0].upper() for s in spans]
    assert [name for name in found if name not in ("BEGIN", "ROLLBACK")] == [
        "INSERT", "INSERT", "COMMIT", "SELECT", "INSERT",
    ]  # fmt: skip
    assert {(s.kind, s.parent) for s in spans} == {("db", None)}
    assert {s.place[0].co_filename if s.place else "" for s in spans} == {__file__}


def test_waiting_for_its_pool_is_a_wait(traced: Any, tmp_path: Path) -> None:
    database = playhouse.pool.PooledSqliteDatabase(
        tmp_path / "t.db", max_connections=1, timeout=10, check_same_thread=False
    )
    holding, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        database.connect()
        holding.set()
        let_go.wait(10)
        database.close()

    other = threading.Thread(target=hold)
    other.start()
    holding.wait(10)
    holder = Holder(let_go.set)
    with traced() as spans:
        holder.watch(spans)
        database.connect()
        database.execute_sql("select 1")
        database.close()
    released_ns = holder.done()
    other.join()
    database.close_all()
    assert [(s.kind, s.statement or s.name) for s in spans] == [
        ("wait", "connection pool"),
        ("db", "select 1"),
    ]
    assert spans[0].start_ns < released_ns < spans[0].end_ns
