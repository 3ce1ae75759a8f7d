"""What changes something is a same-origin POST of JSON (R40); everything else is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from apm_agent.web.app import dashboard
from make_store import make

ORDERS = {"endpoint": "GET /orders", "capture": "cprofile", "count": 3}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("armed") / "apm.db"
    make(path, 300)
    return path


@pytest.fixture
def client(store: Path) -> Client:
    return Client(dashboard(f"sqlite:///{store}"))


def post(client: Client, document: Any = None, **given: Any) -> TestResponse:
    given.setdefault("headers", {})
    given.setdefault("environ_base", {"REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1"})
    if document is not None:
        given["json"] = document
    return client.post("/api/v1/arms", **given)


def listed(client: Client) -> list[dict[str, Any]]:
    answer = client.get(
        "/api/v1/arms", environ_base={"REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1"}
    )
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["arms"]
    return found


def test_armed_listed_and_cancelled(client: Client, store: Path) -> None:
    made = post(client, ORDERS).get_json()["arm"]
    assert listed(client)[0] == made
    assert (made["done"], made["count"], made["state"]) == (0, 3, "armed")
    assert made["until"] - made["created"] == 600
    file = store.parent / "arms" / f"{made['id']}.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert post(client, {"cancel": made["id"]}).get_json() == {"cancelled": True}
    assert post(client, {"cancel": made["id"]}).get_json() == {"cancelled": False}
    assert not file.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:99"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_r40_a_foreign_page_changes_nothing(headers: dict[str, str], client: Client) -> None:
    before = listed(client)
    answer = post(client, ORDERS, headers=headers)
    assert answer.status_code == 403
    assert answer.get_json()["error"]["code"] == "foreign"
    assert listed(client) == before


@pytest.mark.parametrize("headers", [{"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}, {}])
def test_r40_our_own_page_and_a_program_do(headers: dict[str, str], client: Client) -> None:
    answer = post(client, ORDERS, headers=headers)
    assert answer.status_code == 200, answer.text
    post(client, {"cancel": answer.get_json()["arm"]["id"]})


def test_r40_what_a_form_can_send_changes_nothing(client: Client) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        answer = post(client, data='{"endpoint": "GET /orders"}', content_type=kind)
        assert answer.status_code == 400
        assert "application/json" in answer.get_json()["error"]["message"]


def test_r40_only_post_and_only_there(client: Client) -> None:
    base = {"REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1"}
    for method in ("PUT", "DELETE", "PATCH"):
        assert client.open("/api/v1/arms", method=method, json=ORDERS, environ_base=base).status_code == 405
    assert client.post("/api/v1/endpoints", json=ORDERS, environ_base=base).status_code == 405
    assert client.get("/api/v1/arms?endpoint=GET%20/orders", environ_base=base).status_code == 400


def test_r38_a_stranger_arms_nothing(client: Client) -> None:
    base = {"REMOTE_ADDR": "10.1.2.3", "SERVER_PROTOCOL": "HTTP/1.1"}
    assert client.post("/api/v1/arms", json=ORDERS, environ_base=base).status_code == 403


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({}, "endpoint=''"),
        ({"endpoint": 5}, "endpoint=5"),
        ({"endpoint": "x" * 300}, "is not the name of an endpoint"),
        (
            {"endpoint": "GET /orders", "capture": "gdb"},
            "capture='gdb' is not one of cprofile, lines, memory",
        ),
        ({"endpoint": "GET /orders", "count": 0}, "count=0"),
        ({"endpoint": "GET /orders", "count": 101}, "count=101"),
        ({"endpoint": "GET /orders", "count": True}, "count=True"),
        ({"endpoint": "GET /orders", "seconds": 1e9}, "seconds="),
        ({"endpoint": "GET /orders", "seconds": "soon"}, "seconds='soon'"),
        ({"endpoint": "GET /orders", "pickle": 1}, "object of endpoint"),
        ({"cancel": "../../etc/passwd"}, "is not the id of an arm"),
        ({"cancel": "x"}, "is not the id of an arm"),
        ([], "object of endpoint"),
        ("GET /orders", "object of endpoint"),
        ({"endpoint": "GET /nowhere", "capture": "lines"}, "no function of your own code was sampled"),
    ],
)
def test_what_makes_no_sense_is_named(document: Any, named: str, client: Client) -> None:
    answer = post(client, document)
    assert answer.status_code == 400, answer.text
    assert named in answer.get_json()["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"count": NaN}', b"x" * 20_000, b"[" * 5_000])
def test_what_is_no_document_is_refused(body: bytes, client: Client) -> None:
    answer = post(client, data=body, content_type="application/json")
    assert answer.status_code == 400, answer.text


def test_so_many_and_no_more(tmp_path: Path) -> None:
    make(tmp_path / "apm.db", 10)
    client = Client(dashboard(f"sqlite:///{tmp_path}/apm.db", open_to_all=True))
    for _ in range(50):
        assert post(client, ORDERS).status_code == 200
    answer = post(client, ORDERS)
    assert answer.status_code == 400
    assert "cancel one first" in answer.get_json()["error"]["message"]
