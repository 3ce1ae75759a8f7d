"""Work done in another thread keeps the line that asked for it, though no frame of it is there."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from asgiref.sync import sync_to_async

from apm_agent.tracing.caller import handed


@pytest.fixture
def connection(instruments: None, tmp_path: Path) -> Any:
    opened = sqlite3.connect(tmp_path / "t.db", check_same_thread=False)
    yield opened
    opened.close()


async def test_async_ways_to_a_thread(traced: Any, connection: sqlite3.Connection) -> None:
    async def by_asyncio() -> None:
        await asyncio.to_thread(connection.execute, "select 1")

    async def by_executor() -> None:
        await asyncio.get_running_loop().run_in_executor(None, connection.execute, "select 2")

    async def by_anyio() -> None:
        await anyio.to_thread.run_sync(connection.execute, "select 3")

    async def by_asgiref() -> None:
        await sync_to_async(connection.execute)("select 4")

    with traced() as spans:
        for way in (by_asyncio, by_executor, by_anyio, by_asgiref):
            await way()
    assert [(s.statement, s.place and s.place[0].co_name) for s in spans] == [
        ("select 1", "by_asyncio"),
        ("select 2", "by_executor"),
        ("select 3", "by_anyio"),
        ("select 4", "by_asgiref"),
    ]
    assert handed.get() is None


def test_a_pool(traced: Any, connection: sqlite3.Connection) -> None:
    with ThreadPoolExecutor(1) as pool:
        with traced() as spans:
            pool.submit(connection.execute, "select 1").result()
        assert spans[0].place is not None
        assert spans[0].place[0].co_name == "test_a_pool"
        assert pool.submit(handed.get).result() is None
