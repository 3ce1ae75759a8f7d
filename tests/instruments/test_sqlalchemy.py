"""SQLAlchemy over real SQLite files, sync and async."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, declarative_base, sessionmaker

from apm_agent.config import Config
from apm_agent.instruments import patching
from apm_agent.model.origin import Origin
from apm_agent.recording.digest import Digest
from apm_agent.tracing.current import current

Base = declarative_base()


class Customer(Base):  # type: ignore[misc,valid-type]
    __tablename__ = "customer"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String)


@pytest.fixture
def engine(instruments: None, tmp_path: Path) -> Iterator[sa.engine.Engine]:
    made = sa.create_engine(f"sqlite:///{tmp_path}/t.db")
    Base.metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
async def async_engine(engine: sa.engine.Engine, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/t.db")
    async with made.connect():  # the first one asks what the database can do
        pass
    yield made
    await made.dispose()


def test_one_span_a_statement_though_the_driver_is_watched_too(traced: Any, engine: sa.engine.Engine) -> None:
    with traced() as spans, Session(engine) as session:
        session.add_all([Customer(id=1, name="Ada"), Customer(id=2, name="Bob")])
        session.commit()
        assert session.scalars(sa.select(Customer.name).where(Customer.id == 1)).all() == ["Ada"]
    statements = [(s.statement or s.name).split()[0] for s in spans]
    assert statements == ["INSERT", "COMMIT", "SELECT"]
    assert spans[0].tags == {"system": "sqlite", "rows": 2}
    assert spans[2].parent is None
    assert spans[2].place is not None
    assert spans[2].place[0].co_name == test_one_span_a_statement_though_the_driver_is_watched_too.__name__


def test_rows_that_are_fetched_later_are_the_statements(
    traced: Any, sink: list[Any], engine: sa.engine.Engine
) -> None:
    with traced() as spans, engine.connect() as connection:
        assert connection.execute(sa.text("values (1), (2), (3)")).fetchall() == [(1,), (2,), (3,)]
        assert [*connection.execute(sa.text("values (4), (5)"))] == [(4,), (5,)]
    records = [span for span in Digest(Config(), Origin()).digest(sink[-1]).spans if span.statement]
    for span, record, rows in zip(spans, records, (3, 2), strict=False):
        ran, fetched = span.end_ns - span.start_ns, span.fetched
        assert record.tags == {
            "system": "sqlite", "first_row_ns": ran, "fetch_ns": fetched.ns, "rows": rows,
        }  # fmt: skip
        assert record.duration_ns == ran + fetched.ns


async def test_rows_that_an_async_engine_fetched_within_its_call_are_counted_once(
    traced: Any, sink: list[Any], async_engine: AsyncEngine
) -> None:
    async with async_engine.connect() as connection:
        with traced() as spans:
            assert (await connection.execute(sa.text("values (1), (2)"))).fetchall() == [(1,), (2,)]
    assert [span.fetched.ns if span.fetched else 0 for span in spans] == [0]


def test_r18_a_failing_statement_closes_its_span(traced: Any, engine: sa.engine.Engine) -> None:
    with traced() as spans, engine.connect() as connection:
        with pytest.raises(sa.exc.OperationalError):
            connection.execute(sa.text("select * from nowhere"))
        connection.execute(sa.text("select 1"))
    assert [s.statement for s in spans] == ["select * from nowhere", "select 1"]
    assert (spans[0].tags or {})["error"] == "OperationalError"
    assert spans[1].parent is None


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_r18_whatever_stops_a_statement_closes_its_span(
    traced: Any, engine: sa.engine.Engine, kind: type[BaseException]
) -> None:
    class Stopping(sqlite3.Cursor):
        def execute(self, sql: str, *args: Any) -> Any:
            raise kind("why")

    with traced() as spans, engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        cursor = driver.cursor(Stopping)
        with pytest.raises(kind, match="why"):
            engine.dialect.do_execute(cursor, "select 1", ())
        assert connection.execute(sa.text("select 2")).scalar() == 2
    assert [(s.statement, s.parent, (s.tags or {}).get("error")) for s in spans] == [
        ("select 1", None, kind.__name__),
        ("select 2", None, None),
    ]


async def test_async_statements(traced: Any, async_engine: AsyncEngine) -> None:
    with traced() as spans:
        async with async_engine.begin() as connection:
            await connection.execute(sa.insert(Customer).values(id=3, name="Eve"))
            assert (await connection.execute(sa.select(Customer.name))).scalars().all() == ["Eve"]
            with pytest.raises(sa.exc.IntegrityError):
                await connection.execute(sa.insert(Customer).values(id=3, name="Eve"))
    assert [(s.statement or s.name).split()[0] for s in spans] == ["INSERT", "SELECT", "INSERT", "COMMIT"]
    assert [s.place and s.place[0].co_name for s in spans] == ["test_async_statements"] * 4
    assert (spans[2].tags or {})["error"] == "IntegrityError"


async def test_the_end_of_a_block_that_gives_a_transaction_up_has_its_line(
    traced: Any, async_engine: AsyncEngine
) -> None:
    """SQLAlchemy closes in a task of its own, where none of the user's frames is."""
    with traced() as spans:
        async with async_engine.connect() as connection:
            await connection.execute(sa.insert(Customer).values(id=3, name="Eve"))
        async with AsyncSession(async_engine) as session:
            await session.execute(sa.insert(Customer).values(id=4, name="Eve"))
        async with sessionmaker(async_engine, class_=AsyncSession).begin() as session:
            await session.execute(sa.insert(Customer).values(id=5, name="Eve"))
    words = [(s.statement or s.name).split()[0] for s in spans]
    assert words == ["INSERT", "ROLLBACK", "INSERT", "ROLLBACK", "INSERT", "COMMIT"]
    here = "test_the_end_of_a_block_that_gives_a_transaction_up_has_its_line"
    assert [s.place and s.place[0].co_name for s in spans] == [here] * 6


async def test_r18_a_cancelled_task_closes_its_span(traced: Any, async_engine: AsyncEngine) -> None:
    numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000000) "
    slow = numbers + "select max(i) from n"

    async def query() -> Any:
        async with async_engine.connect() as connection:
            await connection.execute(sa.text("select 1"))
            started.set()
            try:
                await connection.execute(sa.text(slow))
            finally:
                seen.append(current.get())

    seen: list[Any] = []
    started = asyncio.Event()
    with traced() as spans:
        task = asyncio.create_task(query())
        await started.wait()
        while len(spans) < 2:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [s.statement for s in spans][:2] == ["select 1", slow]
        assert seen == [current.get()]


def test_r43_dialects_are_what_they_were() -> None:
    from sqlalchemy.engine.default import DefaultDialect
    from sqlalchemy.ext.asyncio import engine
    from sqlalchemy.util import concurrency

    owners = ((DefaultDialect, "do_execute"), (DefaultDialect, "do_executemany"), (engine, "greenlet_spawn"))
    before = [vars(owner)[name] for owner, name in owners]
    patching.apply()
    assert all(vars(owner)[name] is not found for (owner, name), found in zip(owners, before, strict=True))
    assert engine.greenlet_spawn is concurrency.greenlet_spawn
    patching.remove()
    assert all(vars(owner)[name] is found for (owner, name), found in zip(owners, before, strict=True))
