"""The OpenAPI document: it says all there is, it is valid, and a real server holds to it whatever it is asked."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from werkzeug.test import Client

from apm_agent.errors import QuestionError
from apm_agent.queries import units
from apm_agent.web import meanings, parameters
from apm_agent.web.answers import ANSWERS, CHANGED
from apm_agent.web.app import dashboard
from apm_agent.web.changes import CHANGES, parse_statement
from apm_agent.web.declared import BODIES, PARAMETERS, body, declared
from apm_agent.web.openapi import document
from apm_agent.web.routes import ROUTES
from apm_agent.web.shapes import NUMBER, WHOLE, Each, Either, File, Maybe
from fuzzing import fuzz, served

ASKED = [(question, name) for question, route in ROUTES.items() for name in route.parameters]
TOLD = [(change, name) for change, (_, names) in CHANGES.items() for name in names]


@pytest.fixture(scope="module")
def server(day: Path) -> Iterator[str]:
    with served(day) as address:
        yield address


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(dashboard(url, open_to_all=True))


def test_it_is_served_beside_the_questions(client: Client) -> None:
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert answer.get_json() == json.loads(json.dumps(document()))
    assert answer.get_json()["openapi"].startswith("3.1")
    assert answer.get_json()["servers"] == [{"url": ".", "description": "Beside this document."}]
    assert set(answer.get_json()["paths"]) == {f"/{name}" for name in {*ROUTES, *CHANGES}}


@pytest.mark.parametrize(("question", "name"), ASKED, ids=lambda each: each)
def test_every_parameter_is_declared(question: str, name: str) -> None:
    told = declared(question, ROUTES[question].parameters)[name]
    assert told.about, f"give {name} of {question} a row in PARAMETERS of apm_agent/web/declared.py"
    assert told.kind == parameters.CHOICE or told.example != "", f"{question}.{name} needs an example"


@pytest.mark.parametrize(("change", "name"), TOLD, ids=lambda each: each)
def test_every_key_of_a_change_is_declared(change: str, name: str) -> None:
    assert body(change, (name,))[name].about, (
        f"give {change}.{name} a row in BODIES of apm_agent/web/declared.py"
    )


def test_nothing_is_declared_that_nobody_takes() -> None:
    taken = {*parameters.COMMON, *(name for _, name in ASKED), *(".".join(each) for each in ASKED)}
    assert set(PARAMETERS) <= taken
    assert set(BODIES) == {".".join(each) for each in TOLD}


@pytest.mark.parametrize("question", ROUTES)
def test_every_question_says_what_it_is_for_and_what_it_answers(question: str) -> None:
    assert question in ANSWERS, f"give {question} a row in apm_agent/web/answers/"
    assert question in meanings.QUESTIONS, f"give {question} a row in QUESTIONS of apm_agent/web/meanings.py"


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_says_what_it_does_and_what_it_answers(change: str) -> None:
    assert change in CHANGED, f"give {change} a row in apm_agent/web/answers/changed.py"
    assert change in meanings.CHANGES, f"give {change} a row in CHANGES of apm_agent/web/meanings.py"


def figures(shape: Any) -> Iterator[str]:
    """Every key whose value is a number, however deep."""
    if isinstance(shape, (Maybe, Each)):
        yield from figures(shape.shape)
    elif isinstance(shape, Either):
        for each in shape.shapes:
            yield from figures(each)
    elif isinstance(shape, list):
        yield from figures(shape[0])
    elif isinstance(shape, dict):
        for key, part in shape.items():
            bare = part
            while isinstance(bare, (Maybe, list)):
                bare = bare.shape if isinstance(bare, Maybe) else bare[0]
            if bare in (NUMBER, WHOLE):
                yield key
            yield from figures(part)


@pytest.mark.parametrize("question", [name for name in ANSWERS if not isinstance(ANSWERS[name], File)])
def test_every_figure_says_what_it_counts_or_its_unit(question: str) -> None:
    mute = sorted({key for key in figures(ANSWERS[question]) if not meanings.meaning(key)})
    assert not mute, f"say what {', '.join(mute)} of {question} are, in MEANINGS of apm_agent/web/meanings.py"


def test_every_schema_is_a_schema_and_every_reference_leads_somewhere() -> None:
    made = document()
    for schema in made["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(made)
    for kind, name in set(re.findall(r'"#/components/(\w+)/(\w+)"', text)):
        assert name in made["components"][kind]
    for path in made["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    jsonschema.Draft202012Validator.check_schema(content["schema"])


@pytest.mark.parametrize(("question", "name"), ASKED, ids=lambda each: each)
def test_an_example_is_valid(question: str, name: str) -> None:
    told = declared(question, ROUTES[question].parameters)[name]
    jsonschema.Draft202012Validator(parameters.schema(told)).validate(told.example)


@pytest.mark.parametrize("text", ["0", "f", "0f", "f" * 16, "f" * 17, "F", "", "0x1", "12 ", "g"])
def test_the_pattern_of_ids_is_what_is_read(text: str) -> None:
    pattern = PARAMETERS["id"].pattern
    assert bool(re.search(pattern, text)) == reads(units.parse_id, text)


@pytest.mark.parametrize("text", ["0", "17", "9" * 18, str(2**63), "9" * 19, "1" * 20, "-1", "", "1.5", "x"])
def test_the_pattern_of_statements_is_what_is_read(text: str) -> None:
    assert bool(re.search(PARAMETERS["query.id"].pattern, text)) == reads(parse_statement, text)


def reads(parse: Any, text: str) -> bool:
    try:
        parse(text)
    except QuestionError:
        return False
    return True


@pytest.mark.parametrize(
    ("method", "name", "allowed"),
    [
        ("DELETE", "overview", "GET, HEAD"),
        ("POST", "openapi.json", "GET, HEAD"),
        ("PUT", "arms", "GET, HEAD, POST"),
        ("OPTIONS", "arms", "GET, HEAD, POST"),
        ("GET", "plan", "POST"),
        ("PATCH", "plan", "POST"),
    ],
)
def test_another_method_is_refused_with_those_there_are(
    method: str, name: str, allowed: str, client: Client
) -> None:
    answer = client.open(f"/api/v1/{name}", method=method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allowed
    assert answer.get_json()["error"] == {
        "code": "method_not_allowed", "message": f"this takes {allowed} and nothing else"
    }  # fmt: skip


def test_what_is_not_there_is_not_found_by_any_method(client: Client) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = client.open("/api/v1/nothing", method=method)
        assert answer.status_code == 404
        assert answer.get_json()["error"]["code"] == "not_found"


def posted(address: str, data: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    try:
        connection.request("POST", "/api/v1/arms", data, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_a_huge_document_is_refused_in_words(server: str) -> None:
    status, answer = posted(
        server, b"[" * 30_000_000, **{"Content-Type": "application/json", "Host": "localhost"}
    )
    assert status == 400
    assert "longer than 10000 bytes" in answer["error"]["message"]


def test_another_content_type_is_refused_in_words(server: str) -> None:
    status, answer = posted(server, b"<xml/>", **{"Content-Type": "text/xml", "Host": "localhost"})
    assert status == 400
    assert answer["error"]["message"] == "content-type 'text/xml' is not application/json"


@pytest.mark.server
def test_r39_a_server_holds_to_its_document_whatever_it_is_asked(
    server: str, day: Path, tmp_path: Path
) -> None:
    done = fuzz(server, day, tmp_path, "-n", "6", "--seed", "7", "--no-shrink", brief=True)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
