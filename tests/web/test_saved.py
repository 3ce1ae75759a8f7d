"""A page as one file: all of it inside, nothing in it runs but what we wrote, and hostile names do nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import Client, TestResponse

from apm_agent.web import saved
from apm_agent.web.app import dashboard
from hostile import HOSTILE, hostile_store

#: What the file is made of, whatever is in its data.
TAGS = [
    "html", "head", "meta", "meta", "meta", "meta", "meta", "title", "link", "script", "style", "body", "a", "div",
    "noscript", "p", "script", "script",
]  # fmt: skip


class Tags(HTMLParser):
    """The elements of a file in order, as a browser finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(dashboard(url, open_to_all=True))


def ask(client: Client, **given: str) -> TestResponse:
    return client.get(f"/api/v1/saved?{urlencode(given)}")


def identity(client: Client, page: str, name: str = "POST /quote") -> dict[str, str]:
    if page == "trace":
        found = client.get(f"/api/v1/traces?{urlencode({'range': '24h', 'kept': '1', 'name': name})}")
        return {"id": found.get_json()["traces"][0]["id"]}
    return {"endpoint": {"name": name, "range": "24h"}, "compare": {"a": "before:6h", "b": "range:6h"}}[page]


def inside(text: str) -> dict[str, Any]:
    """The document that the page is drawn from, found as a browser finds it."""
    found = re.search(r'<script type="application/json" id="saved">(.*?)</script', text, re.DOTALL)
    assert found is not None
    document: dict[str, Any] = json.loads(found[1])
    return document


@pytest.mark.parametrize("page", saved.PAGES)
def test_a_file_holds_the_answers_of_its_page(client: Client, page: str) -> None:
    given = identity(client, page)
    answer = ask(client, page=page, **given)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "text/html; charset=utf-8"
    assert re.fullmatch(
        rf'attachment; filename="{page}-[A-Za-z0-9._-]+\.html"', answer.headers["Content-Disposition"]
    )
    document = inside(answer.text)
    assert document["bytes"] == len(answer.data)
    assert document["page"] == page
    first = document["answers"][0]
    now = client.get(f"/api/v1/{page}?{urlencode(given)}").get_json()
    assert (first["question"], set(first["answer"])) == (page, set(now))
    for key in {
        "endpoint": ("source", "insights"),
        "trace": ("spans", "samples"),
        "compare": ("kpi", "flame"),
    }[page]:
        assert first["answer"][key] == now[key]
    asked = [(each["question"], each["parameters"]) for each in document["answers"][1:]]
    if page == "endpoint":
        assert [parameters["clock"] for _, parameters in asked] == ["wall", "cpu"]
    if page == "trace":
        assert asked == [("bytecode", {"file": "shop.py", "function": "price"})]


@pytest.mark.parametrize("page", saved.PAGES)
def test_nothing_is_loaded_and_only_our_scripts_run(client: Client, page: str) -> None:
    text = ask(client, page=page, **identity(client, page)).text
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])  # type: ignore[index]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    bodies = re.findall(r"<(script|style)>(.*?)</\1>", text, re.DOTALL)
    assert [kind for kind, _ in bodies] == ["script", "style", "script"]
    for kind, body in bodies:
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{kind}-src" in policy
        assert f"'sha256-{digest}'" in policy
    assert len(re.findall(r"<script", text.partition("<script>")[2].rpartition("<script>")[0])) == 1
    outside = re.findall(r'\b(?:src|href)=["\']?(?!data:|#main)[^"\'>\s]+', text.partition("<script>")[0])
    assert outside == []
    assert "url(" not in re.sub(r'url\("?data:', "", bodies[1][1])


@pytest.mark.parametrize("name", HOSTILE)
def test_r39_hostile_names_stay_names(name: str, tmp_path: Path) -> None:
    store = hostile_store(tmp_path / "apm.db", HOSTILE[name] + "</script><script>window.owned=1</script><!--")
    client = Client(dashboard(f"sqlite:///{store}", open_to_all=True))
    row = client.get("/api/v1/endpoints").get_json()["endpoints"][0]
    trace = client.get("/api/v1/traces").get_json()["traces"][0]["id"]
    for given in ({"page": "endpoint", "name": row["name"]}, {"page": "trace", "id": trace}):
        answer = ask(client, **given)
        assert answer.status_code == 200, answer.text[:300]
        text = answer.text
        data = text.partition('id="saved">')[2].partition("</script>")[0]
        assert "<" not in data, "nothing in it can end the element or begin another"
        assert inside(text)["bytes"] == len(answer.data)
        tags = Tags()
        tags.feed(text)
        assert tags.found == TAGS
        assert '"' not in answer.headers["Content-Disposition"].partition('filename="')[2][:-1]
        assert len(answer.headers["Content-Disposition"]) < 200


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({}, 400, "page= is missing"),
        ({"page": "health"}, 400, "is not one of endpoint, trace, compare"),
        ({"page": "../app"}, 400, "is not one of"),
        ({"page": "endpoint"}, 400, "name= is missing"),
        ({"page": "endpoint", "name": "GET /none"}, 404, "there is no endpoint"),
        ({"page": "trace"}, 400, "id= is missing"),
        ({"page": "trace", "id": "1"}, 404, "is not in the store"),
        ({"page": "trace", "id": "x y"}, 400, "x y"),
        ({"page": "compare", "a": "nonsense:1", "b": "range:6h"}, 400, "nonsense"),
        ({"page": "endpoint", "name": "POST /quote", "range": "9x"}, 400, "9x"),
    ],
)
def test_what_cannot_be_saved_is_refused_by_name(
    client: Client, given: dict[str, str], status: int, said: str
) -> None:
    answer = ask(client, **given)
    assert answer.status_code == status
    assert said in answer.get_json()["error"]["message"]
