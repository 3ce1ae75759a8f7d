"""Ways a secret comes into SQL: in the text, as a parameter, and in what the server says when it refuses."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

from canaries import World, way


def _sql(cursor: Any, canary: str, mark: str) -> None:
    cursor.execute(f"SELECT '{canary}' AS it")
    cursor.fetchall()
    cursor.execute(f"SELECT {mark} AS it", (canary,))
    cursor.fetchall()
    cursor.executemany(f"INSERT INTO canary (name) VALUES ({mark})", [(canary,)])
    cursor.execute(f"SELECT 1 -- {canary}")
    cursor.fetchall()
    cursor.execute(f"INSERT INTO canary (name) VALUES ({mark})", (canary,))  # it is there already


_TABLE = "CREATE TEMPORARY TABLE canary (name VARCHAR(100) PRIMARY KEY)"


def _driver(connection: Any, canary: str, mark: str = "%s") -> None:
    cursor = connection.cursor()
    cursor.execute(_TABLE)
    try:
        _sql(cursor, canary, mark)
    finally:
        connection.close()


@way()
def sql_sqlite3(canary: str, world: World) -> None:
    _driver(sqlite3.connect(":memory:"), canary, "?")


@way()
def sql_aiosqlite(canary: str, world: World) -> None:
    async def run() -> None:
        import aiosqlite

        async with aiosqlite.connect(":memory:") as connection:
            await connection.execute(f"SELECT '{canary}'")
            await connection.execute("SELECT ?", (canary,))

    asyncio.run(run())


@way()
def sql_sqlalchemy(canary: str, world: World) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(sa.text(f"SELECT '{canary}'"))
        connection.execute(sa.text(_TABLE))
        try:
            for _ in range(2):
                connection.execute(sa.text("INSERT INTO canary VALUES (:name)"), {"name": canary})
        finally:
            connection.detach()
            connection.close()


@way()
def sql_peewee(canary: str, world: World) -> None:
    import peewee

    database = peewee.SqliteDatabase(":memory:")
    database.execute_sql(f"SELECT '{canary}'")
    database.execute_sql("SELECT ?", (canary,))
    database.close()


@way()
def sql_psycopg(canary: str, world: World) -> None:
    import psycopg

    _driver(psycopg.connect(_postgres(world)), canary)


@way()
def sql_psycopg2(canary: str, world: World) -> None:
    import psycopg2

    _driver(psycopg2.connect(_postgres(world)), canary)


@way()
def sql_asyncpg(canary: str, world: World) -> None:
    async def run() -> None:
        import asyncpg

        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=world.postgresql,
            user="postgres",
            password="a-password",
            database="postgres",
        )
        try:
            await connection.execute(_TABLE)
            await connection.fetch(f"SELECT '{canary}'")
            for _ in range(2):
                await connection.execute("INSERT INTO canary VALUES ($1)", canary)
        finally:
            await connection.close()

    asyncio.run(run())


@way()
def sql_pymysql(canary: str, world: World) -> None:
    import pymysql

    _driver(pymysql.connect(**_mysql(world)), canary)


@way()
def sql_mysqlclient(canary: str, world: World) -> None:
    import MySQLdb

    _driver(MySQLdb.connect(**_mysql(world)), canary)


@way()
def sql_mariadb(canary: str, world: World) -> None:
    import mariadb

    _driver(mariadb.connect(**_mysql(world)), canary, "?")


@way()
def sql_aiomysql(canary: str, world: World) -> None:
    async def run() -> None:
        import aiomysql

        given = _mysql(world)
        connection = await aiomysql.connect(**{**given, "db": given.pop("database")})
        cursor = await connection.cursor()
        await cursor.execute(f"SELECT '{canary}'")
        await cursor.execute("SELECT %s", (canary,))
        connection.close()

    asyncio.run(run())


def _postgres(world: World) -> str:
    return f"host=127.0.0.1 port={world.postgresql} user=postgres password=a-password dbname=postgres"


def _mysql(world: World) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": world.mariadb,
        "user": "apm",
        "password": "a-password",
        "database": "shop",
    }


@way()
def sql_refused_by_sqlite(canary: str, world: World) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"SELECT x FROMM ''{canary}' it's")


@way()
def sql_refused_by_postgresql(canary: str, world: World) -> None:
    import psycopg

    with psycopg.connect(_postgres(world)) as connection:
        connection.execute(f"SELECT x FROMM 'it' '{canary}' {'y' * 100} it's")


@way()
def sql_row_refused_by_postgresql(canary: str, world: World) -> None:
    import psycopg

    with psycopg.connect(_postgres(world)) as connection:
        connection.execute("CREATE TEMPORARY TABLE rows (name text, age integer CHECK (age > 0))")
        connection.execute("INSERT INTO rows VALUES (%s, -1)", (canary,))


@way()
def sql_refused_by_mysql(canary: str, world: World) -> None:
    import pymysql

    with pymysql.connect(**_mysql(world)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT x FROMM ''{canary}' it's")


@way()
def otel_spans(canary: str, world: World) -> None:
    from opentelemetry import trace

    attributes = {"db.system": "postgresql", "db.statement": f"SELECT '{canary}'", "password": canary}
    with trace.get_tracer("shop").start_as_current_span("work", attributes=attributes) as span:
        span.set_attribute("http.url", f"https://{canary}@a.example/?q={canary}")
