"""Parameters that make no sense get a 4xx that names them, never a 500: examples, then anything at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client, TestResponse

from apm_agent.web.app import dashboard
from apm_agent.web.parameters import COMMON, PAGES_OWN
from apm_agent.web.routes import ROUTES
from make_store import make

Get = Callable[[str], TestResponse]


@pytest.fixture(scope="module")
def get(url: str) -> Get:
    return Client(dashboard(url, open_to_all=True)).get


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("endpoints?range=9x", "range='9x' is not one of 15m, 1h, 6h, 24h, 7d"),
        ("endpoints?from=nan", "from='nan'"),
        ("endpoints?from=1e400", "from='1e400'"),
        ("endpoints?from=-5&to=-1", "from='-5'"),
        ("endpoints?from=1789970000&to=1689970000", "to='1689970000' is not after"),
        ("endpoints?limit=99999999", "limit='99999999' is not a whole number from 1 to 1000"),
        ("endpoints?limit=-1", "limit='-1'"),
        ("endpoints?limit=0", "limit='0'"),
        ("endpoints?limit=NaN", "limit='NaN'"),
        ("endpoints?limit=٣", "limit='٣'"),
        ("endpoints?cursor=x", "cursor='x'"),
        ("endpoints?sort=name;drop", "sort='name;drop'"),
        ("endpoints?kind='%20OR%201=1--", "kind="),
        ("endpoints?ranje=1h", "unknown parameter 'ranje'"),
        ("endpoints?range=1h&range=6h", "range= is given 2 times"),
        ("endpoints?q=" + "x" * 3000, "q= is longer"),
        ("endpoint", "name= is missing"),
        ("endpoint?name=", "name= is missing"),
        ("traces?min_ms=-1", "min_ms='-1'"),
        ("traces?min_ms=inf", "min_ms='inf'"),
        ("traces?max_ms=NaN", "max_ms='NaN'"),
        ("traces?status=abc", "status='abc'"),
        ("traces?failed=maybe", "failed='maybe'"),
        ("traces?sort=name", "sort='name'"),
        ("traces?cursor=1-2-3", "id='2-3'"),
        ("traces?cursor=99999999999999999999-1", "cursor="),
        ("traces?kind=nothing", "kind='nothing'"),
        ("trace", "id= is missing"),
        ("trace?id=../../etc/passwd", "id='../../etc/passwd'"),
        ("trace?id=fffffffffffffffff", "id="),
        ("profile?format=pickle", "format='pickle'"),
        ("profile?prune=2", "prune=2"),
        ("profile?prune=nan", "prune='nan'"),
        ("health?range=x", "range='x'"),
        ("compare?a=range:1h", "b= is missing"),
        ("compare?by=x", "by='x'"),
        ("compare?b_kind=x", "b_kind='x'"),
        ("compare?a=range:1h&b=/etc/passwd", "'/etc/passwd' is nothing to compare"),
        ("compare?a=range:1h&b=file:///tmp/apm.db", "is nothing to compare"),
        ("compare?a=range:1h&b=tx:../x", "id='../x'"),
        ("compare?a=range:1h&b=range:6h&kind=x", "kind='x'"),
    ],
)
def test_r39_what_makes_no_sense_is_named(question: str, named: str, get: Get) -> None:
    answer = get(f"/api/v1/{question}")
    assert answer.status_code == 400
    assert answer.get_json()["error"]["code"] == "bad_parameter"
    assert named in answer.get_json()["error"]["message"]


@pytest.mark.parametrize(
    "path", ["", "nothing", "endpoints/", "endpoints/x", "../app.py", "Endpoints", "%00", "%ff"]
)
def test_questions_there_are_not(path: str, get: Get) -> None:
    answer = get(f"/api/v1/{path}")
    assert answer.status_code == 404
    assert answer.get_json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    "question", ["trace?id=1", "endpoint?name=GET%20/nothing", "profile?id=1", "profile?name=x"]
)
def test_what_is_not_in_the_store(question: str, get: Get) -> None:
    assert get(f"/api/v1/{question}").status_code == 404


def test_what_pages_keep_in_their_address_means_nothing_here(get: Get) -> None:
    rest = urlencode({"live": "1", "theme": "dark", "cols": "a,b", "tab": "x"})
    assert get(f"/api/v1/health?{rest}").status_code == 200


TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from([
        "", "0", "-0", "1e308", "1e-308", "9" * 30, "NaN", "inf", "-inf", "0x10", "1_000", "' OR 1=1--",
        "%", "_", "\x00",
        "../../../etc/passwd", "GET /orders", "web", "24h", "7d", "time", "duration", "1", "true",
        "<script>", "\u202e",
        "speedscope", "folded", "shop", "1.4.0", "💥", "user=7", "=", "\\", "a" * 2500,
    ]),
    st.floats(allow_nan=True).map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.binary(max_size=12),
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(
        sorted({*COMMON, *PAGES_OWN, *(name for route in ROUTES.values() for name in route.parameters)})
    ),
    st.text(max_size=10),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=st.sampled_from(sorted(ROUTES)), parameters=st.lists(st.tuples(NAMES, TEXTS), max_size=6))
def test_r39_no_parameters_at_all_make_it_fail(
    question: str, parameters: list[tuple[str, str | bytes]], get: Get
) -> None:
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters)
    answer = get(f"/api/v1/{question}?{query}")
    assert answer.status_code in (200, 400, 404), answer.text
    if "Content-Disposition" not in answer.headers:
        strictly(answer.data)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.one_of(
        st.text(max_size=60), st.sampled_from(["static/../app.py", "static/..%2fapp.py", "endpoints.html"])
    )
)
def test_r39_no_path_makes_it_fail_or_leaves_the_folder(path: str, get: Get) -> None:
    answer = get("/" + quote(path, safe="/%"))
    assert answer.status_code in (200, 302, 404, 503)
    assert b"from __future__" not in answer.data


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.binary(max_size=60))
def test_r39_raw_bytes_in_the_query(text: bytes, get: Get) -> None:
    answer = get("/api/v1/traces?q=" + quote(text))
    assert answer.status_code in (200, 400)
    strictly(answer.data)


def test_r39_hostile_values_in_the_store_are_valid_json(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    make(path, 400, hours=1)
    hostile = '"><script>alert(1)</script>\u202e\u2028 \x00 ' + "x" * 10_000
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE endpoints SET name = ?, view = ? WHERE name = 'GET /orders'", (hostile, hostile))
        raw.execute("UPDATE frames SET function = ?, file = ?, line = -5", (hostile, hostile))
        raw.execute("UPDATE statements SET text = ?", (hostile,))
        raw.execute(
            "UPDATE transactions SET path = CAST(x'ff00fe' AS TEXT), error = ? WHERE failed", (hostile,)
        )
        raw.execute("UPDATE processes SET state = 'not json', app_root = ?", ("/" + hostile,))
        raw.execute("UPDATE insight_rollups SET kind = kind || ?, text = ?", (hostile, hostile))
        raw.execute("UPDATE traces SET data = x'00' WHERE transaction_id % 2 = 0")
    raw.close()
    client = Client(dashboard(f"sqlite:///{path}", open_to_all=True))
    for question in (
        "endpoints",
        "overview",
        "profile",
        "health",
        "traces?kept=1",
        f"endpoint?name={quote(hostile[:900])}",
    ):
        answer = client.get(f"/api/v1/{question}")
        assert answer.status_code in (200, 404), answer.text[:500]
        strictly(answer.data)
        assert b"<script>" not in answer.data or answer.content_type == "application/json"
    for row in client.get("/api/v1/traces?kept=1").get_json()["traces"]:
        answer = client.get(f"/api/v1/trace?id={row['id']}")
        assert answer.status_code == 200, answer.text[:500]
        document = strictly(answer.data)
        assert document["detail"] or "damaged" in document["why_none"]


def test_a_damaged_store_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "apm.db").write_bytes(b"rubbish " * 4096)
    client = Client(dashboard(f"sqlite:///{tmp_path}/apm.db", open_to_all=True))
    answer = client.get("/api/v1/endpoints")
    assert answer.status_code == 503
    assert "damaged" in answer.get_json()["error"]["message"]


def strictly(data: bytes) -> Any:
    """JSON as the standard has it, in ASCII."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(data.decode("ascii"), parse_constant=refuse)
