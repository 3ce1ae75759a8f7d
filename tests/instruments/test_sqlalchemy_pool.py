"""SQLAlchemy's pools over real SQLite files: a wait is seen, and only a wait."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import sqlalchemy.util.queue
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from apm_agent.instruments import patching
from pools import AsyncHolder, Holder


def seen(spans: list[Any]) -> list[tuple[str, str]]:
    """What was done, in order."""
    return [(s.kind, s.statement or s.name) for s in spans]


def test_waiting_for_a_connection_is_a_wait_and_taking_one_is_none(traced: Any, tmp_path: Path) -> None:
    engine = sa.create_engine(
        f"sqlite:///{tmp_path}/t.db", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=3
    )
    with engine.connect():
        pass
    held = engine.connect()
    holder = Holder(held.close)
    with traced() as spans:
        holder.watch(spans)
        with engine.connect() as connection:
            connection.execute(sa.text("select 1"))
        with engine.connect() as connection:
            connection.execute(sa.text("select 2"))
            with pytest.raises(sa.exc.TimeoutError):
                engine.connect()
    released_ns = holder.done()
    engine.dispose()
    assert [one for one in seen(spans) if one[1] != "ROLLBACK"] == [
        ("wait", "connection pool"), ("db", "select 1"), ("db", "select 2"), ("wait", "connection pool"),
    ]  # fmt: skip
    assert spans[0].start_ns < released_ns < spans[0].end_ns
    assert {s.place[0].co_filename if s.place else "" for s in spans} == {__file__}
    assert [s.tags for s in spans if s.kind == "wait"] == [None, {"error": "Empty"}]


async def test_async_pools_too(traced: Any, tmp_path: Path) -> None:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{tmp_path}/t.db", poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0
    )
    async with engine.connect():
        pass
    held = await engine.connect()
    holder = AsyncHolder(held.close)
    with traced() as spans:
        holder.watch(spans)
        async with engine.connect() as connection:
            await connection.execute(sa.text("select 1"))
    released_ns = await holder.done()
    await engine.dispose()
    assert seen(spans) == [("wait", "connection pool"), ("db", "select 1")]
    assert spans[0].start_ns < released_ns < spans[0].end_ns


def test_r12_r43_the_very_objects_come_back() -> None:
    owners = (sqlalchemy.util.queue.Queue, sqlalchemy.util.queue.AsyncAdaptedQueue)
    before = [vars(owner)["get"] for owner in owners]
    patching.apply()
    for owner, was in zip(owners, before, strict=True):
        now = vars(owner)["get"]
        assert now is not was
        assert inspect.isfunction(now)
        assert inspect.signature(now) == inspect.signature(was)
        assert pickle.loads(pickle.dumps(now)) is now
    patching.remove()
    assert [vars(owner)["get"] for owner in owners] == before
