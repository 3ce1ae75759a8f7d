"""R38, R40: a plan is asked for by a same-origin POST of whoever may see the dashboard, of a kept statement only."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from apm_agent.config import load
from apm_agent.integrations import mount
from planned import HERE, Asked
from records import STATEMENT


@pytest.fixture
def site(tmp_path: Path) -> Asked:
    db = sqlite3.connect(tmp_path / "shop.db")
    db.execute("CREATE TABLE customer (id INTEGER PRIMARY KEY)")
    db.close()
    made = Asked(
        tmp_path / "apm.db", [f"shop=sqlite:///{tmp_path}/shop.db", f"old=sqlite:///{tmp_path}/old.db"]
    )
    made.saw(STATEMENT)
    return made


def kept(site: Asked) -> int:
    db = sqlite3.connect(site.path)
    (count,) = db.execute("SELECT count(*) FROM plans").fetchone()
    db.close()
    return int(count)


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_r40_a_foreign_page_asks_nothing(headers: dict[str, str], site: Asked) -> None:
    document = {"statement": site.id_of(STATEMENT), "database": "shop"}
    answer = site.client.post("/api/v1/plan", json=document, headers=headers, environ_base=HERE)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "foreign")
    assert kept(site) == 0


def test_r38_a_stranger_asks_nothing(site: Asked) -> None:
    document = {"statement": site.id_of(STATEMENT), "database": "shop"}
    for base in ({**HERE, "REMOTE_ADDR": "10.1.2.3"}, {**HERE, "HTTP_X_FORWARDED_FOR": "127.0.0.1"}):
        assert site.client.post("/api/v1/plan", json=document, environ_base=base).status_code == 403
    assert kept(site) == 0


def test_r40_a_get_asks_nothing(site: Asked) -> None:
    assert site.get(f"plan?statement={site.id_of(STATEMENT)}").status_code == 405
    assert kept(site) == 0


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({}, "is not the id of a statement"),
        ({"statement": "1 OR 1=1"}, "is not the id of a statement"),
        ({"statement": "-1"}, "is not the id of a statement"),
        ({"statement": "9" * 19}, "is not the id of a statement"),
        ({"statement": "\u0663"}, "is not the id of a statement"),
        ({"statement": 7}, "is not a text"),
        ({"statement": "7", "sql": "DROP TABLE customer"}, "object of statement, database"),
        ({"statement": "ours", "database": "../x"}, "database='../x' is not one of shop, old"),
        ({"statement": "ours"}, "database='' is not one of shop, old"),
        ({"statement": "ours", "database": "sqlite:////etc/passwd"}, "is not one of shop, old"),
    ],
)
def test_r39_what_makes_no_sense_is_named(document: dict[str, Any], named: str, site: Asked) -> None:
    if document.get("statement") == "ours":
        document = {**document, "statement": site.id_of(STATEMENT)}
    answer = site.client.post("/api/v1/plan", json=document, environ_base=HERE)
    assert answer.status_code == 400, answer.text
    assert named in answer.get_json()["error"]["message"]
    assert kept(site) == 0


def test_a_statement_that_is_not_there(site: Asked) -> None:
    answer = site.client.post("/api/v1/plan", json={"statement": "7"}, environ_base=HERE)
    assert answer.status_code == 404
    assert answer.get_json()["error"]["message"] == "there is no statement 7 in the store"
    assert kept(site) == 0


def test_without_the_setting_it_is_off(tmp_path: Path) -> None:
    site = Asked(tmp_path / "apm.db", [])
    site.saw(STATEMENT)
    answer = site.plan(STATEMENT)
    assert answer.status_code == 400
    assert "APM_AGENT_EXPLAIN" in answer.get_json()["error"]["message"]


def test_the_page_is_told_names_and_nothing_more(site: Asked) -> None:
    told = site.get(f"query?id={site.id_of(STATEMENT)}").get_json()["explain"]
    assert told["databases"] == [{"name": "shop", "engine": "SQLite"}, {"name": "old", "engine": "SQLite"}]


def test_r41_the_setting_reaches_the_dashboard_inside_the_application(site: Asked) -> None:
    config = load({"store": f"sqlite:///{site.path}", "explain": "shop=sqlite:////data/shop.db"}, {})
    inside = Client(mount.load(config, open_to_all=True))
    told = inside.get(f"/api/v1/query?id={site.id_of(STATEMENT)}").get_json()["explain"]
    assert told["databases"] == [{"name": "shop", "engine": "SQLite"}]
