"""Tortoise on its drivers: the driver's spans, each statement once."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tortoise import Tortoise, connections, fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

pytestmark = pytest.mark.server


def models(table_name: str) -> ModuleType:
    """A module of one model, made anew: Tortoise keeps the SQL of a table's first database."""

    class Item(Model):
        id = fields.IntField(primary_key=True)
        name = fields.CharField(max_length=20)

        class Meta:
            table = table_name

    module = ModuleType("tortoise_models")
    module.Item = Item  # type: ignore[attr-defined]
    return module


async def using(url: str, traced: Any) -> list[Any]:
    """What is seen of a little work."""
    module = sys.modules["tortoise_models"] = models("tortoise_" + url.partition(":")[0])
    Item = module.Item
    await Tortoise.init(db_url=url, modules={"models": ["tortoise_models"]})
    await Tortoise.generate_schemas()
    try:
        with traced() as spans:
            async with in_transaction():
                await Item.create(name="Ada")
                await Item.bulk_create([Item(name="Bob"), Item(name="Eve")])
            assert sorted(item.name for item in await Item.filter(id__lt=9)) == ["Ada", "Bob", "Eve"]
    finally:
        await Item.all().delete()
        await connections.close_all()
        del sys.modules["tortoise_models"]
    return list(spans)


def names(spans: list[Any]) -> list[str]:
    """The first words of what was run, begins and the pool's own left out."""
    found = [(s.statement or s.name).split()[0].strip(";").upper() for s in spans if s.kind == "db"]
    return [name for name in found if name not in ("BEGIN", "RESET", "PING")]


async def test_on_aiosqlite(traced: Any, tmp_path: Path) -> None:
    spans = await using(f"sqlite://{tmp_path}/t.db", traced)
    assert names(spans) == ["INSERT", "INSERT", "COMMIT", "SELECT"]
    assert {s.parent for s in spans} == {None}


async def test_on_asyncpg(traced: Any, postgresql: int) -> None:
    spans = await using(f"asyncpg://postgres:x@127.0.0.1:{postgresql}/postgres", traced)
    assert names(spans) == ["INSERT", "INSERT", "COMMIT", "SELECT"]
    assert "wait" in {s.kind for s in spans}


async def test_on_psycopg(traced: Any, postgresql: int) -> None:
    spans = await using(f"psycopg://postgres:x@127.0.0.1:{postgresql}/postgres", traced)
    assert [name for name in names(spans) if name != "ROLLBACK"] == ["INSERT", "INSERT", "COMMIT", "SELECT"]


async def test_on_aiomysql(traced: Any, mariadb: int) -> None:
    spans = await using(f"mysql://apm:a-password@127.0.0.1:{mariadb}/shop", traced)
    assert [name for name in names(spans) if name in ("INSERT", "COMMIT", "SELECT")] == [
        "INSERT", "INSERT", "COMMIT", "SELECT",
    ]  # fmt: skip
