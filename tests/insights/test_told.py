"""Causes in real applications are found by the agent, kept, and told by the API with words, cost and source line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from upstream import upstream

ABOVE = """
import gc, json, os, sys, threading, urllib.parse, urllib.request
import apm_agent
from apm_agent.integrations.flask import init_app
from flask import Flask
from werkzeug.serving import make_server

app = Flask("shop")
init_app(app, dashboard_path="/apm")
"""
BELOW = """
server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
get = lambda path: urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}").read().decode()
# How long a collection takes, and which request it meets, is the machine's: it may cost more than what is planted.
gc.disable()
get("/")
assert apm_agent.flush(10)
[row] = json.loads(get("/apm/api/v1/endpoints?range=15m"))["endpoints"]
[trace] = json.loads(get("/apm/api/v1/traces?range=15m"))["traces"]
told = {
    "fix_first": json.loads(get("/apm/api/v1/overview?range=15m"))["fix_first"],
    "endpoint": json.loads(get("/apm/api/v1/endpoint?range=15m&name=" + urllib.parse.quote(row["name"])))["insights"],
    "trace": json.loads(get("/apm/api/v1/trace?id=" + trace["id"]))["insights"],
    "spans": json.loads(get("/apm/api/v1/trace?id=" + trace["id"]))["spans"],
}
server.shutdown()
globals().get("stop", lambda: None)()
print(json.dumps(told))
"""


def told(folder: Path, app: str, kind: str, **settings: str) -> dict[str, Any]:
    """What the Trace page is told of one request to `app`, whose line with `# here` is to blame.

    Of the endpoint and in "Fix first" the same is told.
    """
    source = ABOVE + app + BELOW
    (folder / "shop.py").write_text(source)
    run = subprocess.run(
        [sys.executable, "-W", "error", "shop.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parent.parent),
            **{f"APM_AGENT_{name.upper()}": value for name, value in settings.items()},
        },
    )
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout.splitlines()[-1])
    here = next(number for number, line in enumerate(source.splitlines(), 1) if "# here" in line)
    found: dict[str, Any] = next((one for one in answer["trace"] if one["kind"] == kind), {})
    assert found, answer["spans"] or answer
    assert (found["where"]["file"], found["where"]["line"]) == ("shop.py", here), found
    # One call: what is told of the endpoint is what is told of its trace.
    of_all = next(one for one in answer["endpoint"] if one["kind"] == kind)
    assert {key: of_all[key] for key in ("why", "fix", "cost_ms")} == {
        key: found[key] for key in ("why", "fix", "cost_ms")
    }
    assert found["why"] in [one["why"] for one in answer["fix_first"]]
    return found


CALLS = """
import requests
session = requests.Session()

@app.get("/")
def view():
    for name in ("stock", "prices", "reviews"):
        session.get(f"http://127.0.0.1:{sys.argv[-1]}/{name}")  # here
    return "ok"
"""


def test_calls_in_a_row(tmp_path: Path) -> None:
    with upstream() as port:
        app = CALLS.replace("{sys.argv[-1]}", str(port))
        found = told(
            tmp_path,
            app,
            "sequential_calls",
            insight_thresholds="sequential_calls=0,sequential_calls_gap=10s",
        )
    where = found["where"]["line"]
    assert found["why"].startswith(f"3 calls one after another could overlap from shop.py:{where}, up to ")
    assert found["title"] == "Calls one after another"
    assert found["cost_ms"] > 0
    assert "asyncio.gather()" in found["fix"]


POOL = """
import sqlalchemy as sa
from apm_agent.tracing.current import current
from pools import Holder

engine = sa.create_engine("sqlite:///shop.db", poolclass=sa.QueuePool, pool_size=1, max_overflow=0)
held = engine.connect()
holder = Holder(held.close)

@app.get("/")
def view():
    holder.watch(current.get().spans)  # gives the connection back once somebody waits for it
    with engine.connect() as connection:  # here
        return str(connection.execute(sa.text("select 1")).scalar())
"""


def test_waiting_for_a_connection(tmp_path: Path) -> None:
    found = told(tmp_path, POOL, "connection_wait", insight_thresholds="connection_wait=0")
    line = found["where"]["line"]
    assert re.fullmatch(rf"waits .* ms for a connection from the pool at shop\.py:{line}", found["why"])
    assert "a connection not given back" in found["fix"]


CACHE = """
from django.conf import settings
settings.configure(CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}})
from django.core.cache import cache

@app.get("/")
def view():
    for number in range(30):
        cache.get(f"price-{number}")  # here
    return "ok"
"""


def test_misses_of_a_cache(tmp_path: Path) -> None:
    found = told(tmp_path, CACHE, "cache_misses")
    assert found["why"] == f"30 reads miss the cache at shop.py:{found['where']['line']}"
    assert found["cost_ms"] > 0
    assert "get_many()" in found["fix"]


ROWS = """
import aiosqlite

@app.get("/")
async def view():
    async with aiosqlite.connect(":memory:") as connection:
        rows = await connection.execute_fetchall(  # here
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1200) select i from n"
        )
        return str(len(rows))
"""


def test_very_many_rows(tmp_path: Path) -> None:
    found = told(tmp_path, ROWS, "big_result")
    assert re.fullmatch(r".+ returns 1,200 rows at shop\.py:\d+", found["why"])
    assert found["statement"]["text"].startswith("with recursive n")
    assert "LIMIT" in found["fix"]


POSTGRESQL = """
import psycopg_pool
from apm_agent.tracing.current import current
from pools import Holder

where = "host=127.0.0.1 port=PORT user=postgres dbname=postgres"
pool = psycopg_pool.ConnectionPool(where, min_size=1, max_size=1, open=True)
held = pool.getconn()
holder = Holder(lambda: pool.putconn(held))

@app.get("/")
def view():
    holder.watch(current.get().spans)
    connection = pool.getconn()  # wait
    rows = connection.execute("select n from generate_series(1, 1500) n").fetchall()  # rows
    pool.putconn(connection)
    return str(len(rows))
"""


@pytest.mark.server
@pytest.mark.parametrize(
    ("kind", "word", "why"),
    [
        ("connection_wait", "# wait", r"waits .* ms for a connection from the pool at shop\.py:\d+"),
        ("big_result", "# rows", r"SELECT .* returns 1,500 rows at shop\.py:\d+"),
    ],
)
def test_a_real_pool_and_a_real_database(
    tmp_path: Path, postgresql: int, kind: str, word: str, why: str
) -> None:
    app = POSTGRESQL.replace("PORT", str(postgresql)).replace(word, "# here")
    found = told(tmp_path, app + "\nstop = pool.close\n", kind, insight_thresholds="connection_wait=0")
    assert re.fullmatch(why, found["why"]), found["why"]


DJANGO = """
import django
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}}, USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
from django.db import connection, models

class Author(models.Model):
    name = models.TextField()
    class Meta:
        app_label = "shop"

class Book(models.Model):
    author = models.ForeignKey(Author, models.CASCADE)
    class Meta:
        app_label = "shop"

with connection.schema_editor() as editor:
    editor.create_model(Author)
    editor.create_model(Book)
for number in range(30):
    Book.objects.create(author=Author.objects.create(name=str(number)))

@app.get("/")
def view():
    books = list(Book.objects.all())
    try:
        return "".join(QUERY for book in books)  # here
    finally:
        connection.close()
"""


def test_related_objects_of_django_one_by_one(tmp_path: Path) -> None:
    found = told(tmp_path, DJANGO.replace("QUERY", "book.author.name"), "repeated_query")
    assert found["why"].startswith(f"30 identical queries from shop.py:{found['where']['line']}")
    assert "select_related('…')" in found["fix"]


def test_no_pattern_no_advice(tmp_path: Path) -> None:
    query = "Author.objects.get(id=book.author_id).name"
    found = told(tmp_path, DJANGO.replace("QUERY", query), "repeated_query", max_details="100")
    assert found["why"].startswith("30 identical queries from shop.py:")
    assert found["fix"] is None


LAZY = """
import sqlalchemy as sa
from sqlalchemy import orm

class Base(orm.DeclarativeBase):
    pass

class Author(Base):
    __tablename__ = "author"
    id = orm.mapped_column(sa.Integer, primary_key=True)
    books = orm.relationship("Book")

class Book(Base):
    __tablename__ = "book"
    id = orm.mapped_column(sa.Integer, primary_key=True)
    author_id = orm.mapped_column(sa.ForeignKey("author.id"))

engine = sa.create_engine("sqlite:///shop.db")
Base.metadata.create_all(engine)
with orm.Session(engine) as session, session.begin():
    session.add_all(Author(books=[Book(), Book()]) for _ in range(30))

@app.get("/")
def view():
    with orm.Session(engine) as session:
        return str(sum(len(author.books) for author in session.scalars(sa.select(Author)).all()))  # here
"""


def test_lazy_loads_of_sqlalchemy(tmp_path: Path) -> None:
    found = told(tmp_path, LAZY, "repeated_query")
    assert found["why"].startswith(f"30 identical queries from shop.py:{found['where']['line']}")
    assert "selectinload(…)" in found["fix"]


LAZY_ASYNC = (
    LAZY.partition("@app")[0].replace(
        "class Base(", "from sqlalchemy.ext.asyncio import *\n\nclass Base(AsyncAttrs, "
    )
    + """
@app.get("/")
async def view():
    engine = create_async_engine("sqlite+aiosqlite:///shop.db")
    async with AsyncSession(engine) as session:
        for author in (await session.scalars(sa.select(Author))).all():
            await author.awaitable_attrs.books  # here
    await engine.dispose()
    return "ok"
"""
)


def test_lazy_loads_in_a_greenlet(tmp_path: Path) -> None:
    found = told(tmp_path, LAZY_ASYNC, "repeated_query")
    assert found["why"].startswith(f"30 identical queries from shop.py:{found['where']['line']}")
    assert "selectinload(…)" in found["fix"]


SLOW = """
import sqlite3

@app.get("/")
def view():
    database = sqlite3.connect(":memory:")
    count = "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?) select count(*) from n"
    for limit in (300_000, 300_001):
        database.execute(count, (limit,)).fetchone()  # here
    database.close()
    return "ok"
"""


def test_a_query_that_is_slow_in_total_and_most_of_its_endpoint(tmp_path: Path) -> None:
    found = told(tmp_path, SLOW, "slow_query", insight_thresholds="slow_query=1ms")
    line = found["where"]["line"]
    assert re.fullmatch(rf".+ takes [\d.]+ ms at shop\.py:{line}, \d+ % of the time", found["why"]), found[
        "why"
    ]
    assert found["cost_ms"] > 0
