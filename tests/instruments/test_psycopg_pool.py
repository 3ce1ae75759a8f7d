"""psycopg's pools and a real PostgreSQL: a wait for a connection is a span of its own."""

from __future__ import annotations

from typing import Any

import psycopg_pool
import pytest

from pools import AsyncHolder, Holder

pytestmark = pytest.mark.server


@pytest.fixture
def conninfo(instruments: None, postgresql: int) -> str:
    return f"host=127.0.0.1 port={postgresql} user=postgres password=a-password dbname=postgres"


def test_waiting_for_the_pool_is_a_wait_of_its_own(traced: Any, conninfo: str) -> None:
    with psycopg_pool.ConnectionPool(conninfo, min_size=1, max_size=1, open=True) as pool:
        pool.wait()
        held = pool.getconn()
        holder = Holder(lambda: pool.putconn(held))
        with traced() as spans:
            holder.watch(spans)
            with pool.connection() as connection:
                connection.execute("select 1")
            with pytest.raises(psycopg_pool.PoolTimeout), pool.connection():
                pool.getconn(timeout=0.01)
        released_ns = holder.done()
    assert [(s.kind, s.statement or s.name) for s in spans] == [
        ("wait", "connection pool"), ("db", "select 1"), ("db", "COMMIT"), ("wait", "connection pool"),
        ("wait", "connection pool"),
    ]  # fmt: skip
    assert spans[0].start_ns < released_ns < spans[0].end_ns
    assert spans[4].tags == {"system": "postgresql", "error": "PoolTimeout"}
    assert {s.parent for s in spans} == {None}


async def test_waiting_for_the_async_pool_too(traced: Any, conninfo: str) -> None:
    async with psycopg_pool.AsyncConnectionPool(conninfo, min_size=1, max_size=1, open=False) as pool:
        await pool.wait()
        held = await pool.getconn()
        holder = AsyncHolder(lambda: pool.putconn(held))
        with traced() as spans:
            holder.watch(spans)
            async with pool.connection() as connection:
                await connection.execute("select 1")
            released_ns = await holder.done()
    assert [(s.kind, s.statement or s.name) for s in spans] == [
        ("wait", "connection pool"), ("db", "select 1"), ("db", "COMMIT"),
    ]  # fmt: skip
    assert spans[0].start_ns < released_ns < spans[0].end_ns
