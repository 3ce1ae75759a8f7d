"""A plan on a click, over HTTP, of real servers: the plan of an index and of its lack, and nothing but a plan."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pymysql  # type: ignore[import-untyped]
import pytest

from apm_agent.errors import ConfigError, contained
from apm_agent.model.database import databases
from apm_agent.web.app import dashboard
from planned import Asked
from servers import free_port

ByName = "SELECT id FROM orders WHERE customer = ?"
ByKey = "SELECT customer FROM orders WHERE id = ?"
SECRET = "hunter2%40%2Fx"

Ask = Callable[..., Asked]


@pytest.fixture
def shop(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    db = sqlite3.connect(path)
    db.executescript(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT); INSERT INTO orders VALUES (1, 'a');"
    )
    db.close()
    return f"shop=sqlite:///{path}"


def steps(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    plan = answer.get_json()["plan"]
    return [" ".join([step["text"], *step["details"]]) for step in plan["steps"]]


def test_sqlite(asked: Ask, shop: str) -> None:
    site = asked(shop)
    site.saw(ByName, ByKey)
    assert steps(site.plan(ByName)) == ["SCAN orders"]
    (step,) = site.plan(ByKey).get_json()["plan"]["steps"]
    assert step["text"] == "SEARCH orders USING INTEGER PRIMARY KEY (rowid=?)"
    assert step["scan"] is False
    kept = site.get(f"query?id={site.id_of(ByName)}").get_json()["plans"]
    assert [(plan["database"], plan["release"], plan["steps"][0]["scan"]) for plan in kept] == [
        ("shop", "1.0", True)
    ]


def test_a_release_that_changes_the_plan_is_told(asked: Ask, shop: str) -> None:
    site = asked(shop)
    site.saw(ByName)
    site.plan(ByName)
    assert site.plan(ByName).get_json()["plan"]["before"]["changed"] is False
    site.saw(ByName, release="2.0")
    db = sqlite3.connect(shop.partition("///")[2])
    db.execute("CREATE INDEX by_customer ON orders (customer)")
    db.close()
    plan = site.plan(ByName).get_json()["plan"]
    assert plan["release"] == "2.0"
    assert (plan["before"]["release"], plan["before"]["changed"]) == ("1.0", True)
    assert plan["before"]["gone"] == ["SCAN orders"]
    assert plan["before"]["new"] == ["SEARCH orders USING COVERING INDEX by_customer (customer=?)"]
    again = site.plan(ByName).get_json()["plan"]
    assert (again["before"]["release"], again["before"]["changed"]) == ("1.0", True)


def test_a_database_that_cannot_be_asked_says_why(asked: Ask, tmp_path: Path) -> None:
    site = asked(f"sqlite:///{tmp_path}/none.db")
    site.saw(ByName)
    answer = site.plan(ByName)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "database")
    assert not (tmp_path / "none.db").exists()


def test_a_statement_the_database_does_not_know(asked: Ask, shop: str) -> None:
    site = asked(shop)
    site.saw("SELECT gone FROM nowhere")
    answer = site.plan("SELECT gone FROM nowhere")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, "refused")
    assert "no such table: nowhere" in answer.get_json()["error"]["message"]


def test_many_clicks_keep_a_bounded_number(asked: Ask, shop: str) -> None:
    site = asked(shop)
    site.saw(ByName)
    for _ in range(25):
        assert site.plan(ByName).status_code == 200
    with sqlite3.connect(site.path) as db:
        assert db.execute("SELECT count(*) FROM plans").fetchone() == (20,)
    db.close()


def test_a_store_of_an_older_schema_shows_and_keeps_not(asked: Ask, shop: str) -> None:
    site = asked(shop)
    site.saw(ByName)
    db = sqlite3.connect(site.path)
    db.executescript("DROP TABLE plans; PRAGMA user_version = 2;")
    db.close()
    answer = site.plan(ByName).get_json()
    assert "older apm-agent" in answer["not_kept"]
    assert answer["plan"]["steps"][0]["text"] == "SCAN orders"
    assert site.get(f"query?id={site.id_of(ByName)}").get_json()["plans"] == []


@pytest.fixture(scope="module")
def pg(postgresql: int) -> str:
    address = f"postgresql://postgres@127.0.0.1:{postgresql}/postgres"
    with psycopg.connect(address, autocommit=True) as db:
        db.execute("DROP TABLE IF EXISTS orders")
        db.execute("CREATE TABLE orders (id int PRIMARY KEY, customer text)")
        db.execute("INSERT INTO orders SELECT n, 'c' || n FROM generate_series(1, 5000) n")
        db.execute("ANALYZE orders")
        db.execute("DROP ROLE IF EXISTS apm")
        db.execute("CREATE ROLE apm LOGIN PASSWORD 'x'; GRANT SELECT ON orders TO apm")
    return address


@pytest.mark.server
def test_postgresql(asked: Ask, pg: str) -> None:
    site = asked(f"shop={pg}")
    many = "SELECT o.id FROM orders o JOIN orders p ON p.id = o.id WHERE o.customer = ? ORDER BY o.id LIMIT ?"
    site.saw(ByName, ByKey, many)
    assert steps(site.plan(ByName)) == ["Seq Scan on orders Filter: (customer = $1)"]
    plan = site.plan(ByKey).get_json()["plan"]
    assert plan["steps"][0]["text"] == "Index Scan using orders_pkey on orders"
    assert plan["steps"][0]["details"] == ["Index Cond: (id = $1)"]
    assert (plan["steps"][0]["rows"], plan["steps"][0]["scan"]) == (1, False)
    assert plan["server"].startswith("PostgreSQL ")
    assert any(step["depth"] > 1 for step in site.plan(many).get_json()["plan"]["steps"])


@pytest.mark.server
def test_postgresql_runs_nothing(asked: Ask, pg: str) -> None:
    """A view may call what writes: it is planned, and nothing happens."""
    site = asked(f"shop={pg}")
    with psycopg.connect(pg, autocommit=True) as db:
        db.execute(
            "CREATE OR REPLACE FUNCTION nasty() RETURNS int LANGUAGE sql AS 'DELETE FROM orders; SELECT 1'"
        )
        db.execute("CREATE OR REPLACE VIEW trap AS SELECT nasty() AS x")
        site.saw("SELECT x FROM trap", "SELECT nasty()", ByName)
        assert site.plan("SELECT x FROM trap").status_code == 200  # planned, never run
        assert site.plan("SELECT nasty()").get_json()["error"]["code"] == "refused"
        found = db.execute("SELECT count(*) FROM orders").fetchone()
        assert found == (5000,)


@pytest.mark.server
def test_postgresql_gives_up_on_a_locked_table(asked: Ask, pg: str) -> None:
    site = asked(f"shop={pg}")
    site.saw(ByName)
    with psycopg.connect(pg) as db:
        db.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        answer = site.plan(ByName)
    assert answer.get_json()["error"]["code"] == "refused"
    assert "lock timeout" in answer.get_json()["error"]["message"]
    with psycopg.connect(pg) as db:
        left = db.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'apm-agent explain'"
        ).fetchone()
    assert left == (0,)


@pytest.mark.server
def test_what_cannot_be_planned_without_values_says_so(asked: Ask, pg: str) -> None:
    site = asked(f"shop={pg}")
    text = "SELECT date ? FROM orders"
    site.saw(text)
    answer = site.plan(text)
    assert answer.get_json()["error"]["code"] == "refused"
    assert answer.get_json()["error"]["message"].startswith("shop does not plan it: ")


@pytest.fixture(scope="module")
def maria(mariadb: int) -> str:
    db = pymysql.connect(host="127.0.0.1", port=mariadb, user="apm", password="a-password", database="shop")
    with db.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE TABLE orders (id INT PRIMARY KEY, customer VARCHAR(50), KEY by_day (id, customer))"
        )
        cursor.execute("INSERT INTO orders SELECT seq, seq FROM seq_1_to_500")
    db.commit()
    db.close()
    return f"mysql://apm:a-password@127.0.0.1:{mariadb}/shop"


@pytest.mark.server
def test_mariadb(asked: Ask, maria: str) -> None:
    site = asked(f"shop={maria}")
    limited = "SELECT id FROM orders WHERE customer = ? ORDER BY customer LIMIT ? OFFSET ?"
    site.saw(ByKey, limited, "SELECT customer FROM orders")
    assert steps(site.plan(ByKey)) == ["orders: one row by PRIMARY"]
    plan = site.plan("SELECT customer FROM orders").get_json()["plan"]
    assert plan["server"].startswith("MariaDB ")
    assert plan["steps"][0]["rows"] == pytest.approx(500, rel=0.1)  # InnoDB's own guess
    assert "Using filesort" not in steps(site.plan(ByKey))
    assert steps(site.plan(limited))


@pytest.mark.server
def test_mariadb_refuses_what_would_write(asked: Ask, maria: str) -> None:
    site = asked(f"shop={maria}")
    for text in ("SELECT id FROM orders FOR UPDATE", "SELECT sleep(?)", "SELECT load_file(?)"):
        site.saw(text)
        assert site.plan(text).get_json()["error"]["code"] == "refused"


@pytest.mark.server
@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_r32_no_secret_of_the_url_gets_out(
    engine: str, asked: Ask, pg: str, maria: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong password, no such database, nobody there: the words name what failed, never how to get in."""
    caplog.set_level(logging.DEBUG)
    port = (pg if engine == "postgresql" else maria).rpartition("@")[2].partition("/")[0]
    urls = [
        f"{engine}://nobody:{SECRET}@{port}/shop",
        f"{engine}://apm:{SECRET}@{port}/none",
        f"{engine}://apm:{SECRET}@127.0.0.1:{free_port()}/shop",
        f"{engine}://apm:{SECRET}@no-such-host.invalid/shop",
    ]
    for url in urls:
        site = asked(f"main={url}")
        site.saw(ByName)
        said = [
            site.plan(ByName).text,
            site.get(f"query?id={site.id_of(ByName)}").text,
            site.get("health").text,
        ]
        for text in [*said, caplog.text, str(contained.seen), repr(databases([url]))]:
            assert "hunter2" not in text
    for file in site.path.parent.iterdir():
        assert not file.is_file() or b"hunter2" not in file.read_bytes()


@pytest.mark.parametrize(
    "url",
    ["shop", "oracle://u:hunter2@h/x", "postgresql://hunter2@/x", "postgresql://h:hunter2/x", "sqlite://hunter2/x",
     "mysql://u:hunter2@h", "a=mysql://u:hunter2@h/x,a=mysql://u:hunter2@h/y", "sqlite:///\x00hunter2"],
)  # fmt: skip
def test_r41_a_url_that_is_none_stops_the_start_without_being_shown(url: str, tmp_path: Path) -> None:
    from apm_agent.config import load

    for start in (
        lambda: load({"explain": url}, {}),
        lambda: dashboard(f"sqlite:///{tmp_path}/a.db", explain=url.split(",")),
    ):
        with pytest.raises(ConfigError, match="explain") as caught:
            start()
        assert "hunter2" not in str(caught.value)
        assert "postgresql://user:password@host/shop" in str(caught.value)


def test_names_and_engines() -> None:
    found = databases(
        ["shop=postgresql+psycopg://u:p%40@h:5433/a", "sqlite:////data/x.db", "old=mariadb://h/b"]
    )
    assert [(each.name, each.engine) for each in found] == [
        ("shop", "postgresql"),
        ("sqlite", "sqlite"),
        ("old", "mysql"),
    ]
    assert (found[0].password, found[1].path, found[2].path) == ("p@", "/data/x.db", "b")
    assert "p@" not in repr(found)
