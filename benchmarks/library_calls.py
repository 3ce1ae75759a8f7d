"""The calls whose cost `libraries.py` compares: one a library, synchronous or asyncio, against a real server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

Call = Callable[[], object]
AsyncCall = Callable[[], Awaitable[object]]


def _sqlite3(_: int) -> Call:
    import sqlite3

    connection = sqlite3.connect(":memory:")
    return lambda: connection.execute("SELECT 1 WHERE 1 = ?", (1,)).fetchone()


def _psycopg(port: int) -> Call:
    import psycopg

    cursor = psycopg.connect(
        host="127.0.0.1", port=port, user="postgres", dbname="postgres", autocommit=True
    ).cursor()
    return lambda: cursor.execute("SELECT 1 WHERE 1 = %s", (1,)).fetchone()


def _pymysql(port: int) -> Call:
    import pymysql

    cursor = pymysql.connect(
        host="127.0.0.1", port=port, user="apm", password="a-password", database="shop"
    ).cursor()
    return lambda: (cursor.execute("SELECT 1 FROM DUAL WHERE 1 = %s", (1,)), cursor.fetchone())


def _redis(port: int) -> Call:
    import redis

    client = redis.Redis(port=port)
    client.set("a", "b")
    return lambda: client.get("a")


def _pymemcache(port: int) -> Call:
    from pymemcache.client.base import Client

    client = Client(("127.0.0.1", port))
    client.set("a", "b")
    return lambda: client.get("a")


def _sqlalchemy(_: int) -> Call:
    import sqlalchemy

    connection = sqlalchemy.create_engine("sqlite://").connect()
    statement = sqlalchemy.text("SELECT 1 WHERE 1 = :one")
    return lambda: connection.execute(statement, {"one": 1}).fetchone()


def _django_orm(_: int) -> Call:
    import django
    from django.conf import settings

    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    settings.configure(
        DATABASES={"default": database}, INSTALLED_APPS=["django.contrib.contenttypes"], USE_TZ=True
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from django.contrib.contenttypes.models import ContentType

    return lambda: ContentType.objects.filter(pk=1).first()


def _requests(port: int) -> Call:
    import requests

    session = requests.Session()
    return lambda: session.get(f"http://127.0.0.1:{port}/")


def _urllib3(port: int) -> Call:
    import urllib3

    pool = urllib3.PoolManager()
    return lambda: pool.request("GET", f"http://127.0.0.1:{port}/")


def _httpx(port: int) -> Call:
    import httpx

    client = httpx.Client()
    return lambda: client.get(f"http://127.0.0.1:{port}/")


def _jinja2(_: int) -> Call:
    import jinja2

    template = jinja2.Environment().from_string("hello {{ name }}")
    return lambda: template.render(name="you")


async def _aiosqlite(_: int) -> AsyncCall:
    import aiosqlite

    connection = await aiosqlite.connect(":memory:")

    async def call() -> object:
        cursor = await connection.execute("SELECT 1 WHERE 1 = ?", (1,))
        return await cursor.fetchone()

    return call


async def _asyncpg(port: int) -> AsyncCall:
    import asyncpg

    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user="postgres", password="x", database="postgres"
    )
    return lambda: connection.fetchrow("SELECT 1 WHERE 1 = $1::int", 1)


async def _psycopg_async(port: int) -> AsyncCall:
    import psycopg

    connection = await psycopg.AsyncConnection.connect(
        host="127.0.0.1", port=port, user="postgres", dbname="postgres", autocommit=True
    )
    cursor = connection.cursor()

    async def call() -> object:
        await cursor.execute("SELECT 1 WHERE 1 = %s", (1,))
        return await cursor.fetchone()

    return call


async def _aiomysql(port: int) -> AsyncCall:
    import aiomysql

    connection = await aiomysql.connect(
        host="127.0.0.1", port=port, user="apm", password="a-password", db="shop"
    )
    cursor = await connection.cursor()

    async def call() -> object:
        await cursor.execute("SELECT 1 FROM DUAL WHERE 1 = %s", (1,))
        return await cursor.fetchone()

    return call


async def _redis_async(port: int) -> AsyncCall:
    import redis.asyncio

    client = redis.asyncio.Redis(port=port)
    await client.set("a", "b")
    return lambda: client.get("a")


async def _sqlalchemy_async(_: int) -> AsyncCall:
    import sqlalchemy
    from sqlalchemy.ext.asyncio import create_async_engine

    connection = await create_async_engine("sqlite+aiosqlite://").connect()
    statement = sqlalchemy.text("SELECT 1 WHERE 1 = :one")

    async def call() -> object:
        return (await connection.execute(statement, {"one": 1})).fetchone()

    return call


async def _httpx_async(port: int) -> AsyncCall:
    import httpx

    client = httpx.AsyncClient()
    return lambda: client.get(f"http://127.0.0.1:{port}/")


async def _aiohttp(port: int) -> AsyncCall:
    import aiohttp

    session = aiohttp.ClientSession()

    async def call() -> object:
        async with session.get(f"http://127.0.0.1:{port}/") as response:
            return await response.read()

    return call


#: library → what makes the call, and the server it is made to.
CASES: dict[str, tuple[Callable[[int], Call] | Callable[[int], Awaitable[AsyncCall]], str]] = {
    "sqlite3": (_sqlite3, ""),
    "psycopg": (_psycopg, "postgresql"),
    "pymysql": (_pymysql, "mariadb"),
    "redis": (_redis, "redis"),
    "pymemcache": (_pymemcache, "memcached"),
    "sqlalchemy": (_sqlalchemy, ""),
    "django": (_django_orm, ""),
    "requests": (_requests, "http"),
    "urllib3": (_urllib3, "http"),
    "httpx": (_httpx, "http"),
    "jinja2": (_jinja2, ""),
    "aiosqlite": (_aiosqlite, ""),
    "asyncpg": (_asyncpg, "postgresql"),
    "psycopg_async": (_psycopg_async, "postgresql"),
    "aiomysql": (_aiomysql, "mariadb"),
    "redis_async": (_redis_async, "redis"),
    "sqlalchemy_async": (_sqlalchemy_async, ""),
    "httpx_async": (_httpx_async, "http"),
    "aiohttp": (_aiohttp, "http"),
}
