"""The OpenAPI document of the JSON API, made of the very tables that read questions and shape answers."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from apm_agent import __version__
from apm_agent.exporters import EXPORTERS
from apm_agent.web import meanings, parameters, shapes
from apm_agent.web.answers import ANSWERS, CHANGED, parts
from apm_agent.web.changes import CHANGES, LONGEST
from apm_agent.web.declared import BODIES_BY_WAY, COLUMNAR, body, declared
from apm_agent.web.parameters import COMMON, Parameter
from apm_agent.web.routes import ROUTES

#: Where it is asked for, below the API's own address.
NAME = "openapi.json"
_JSON = "application/json"

_ABOUT = f"""\
Every question of the dashboard's pages. Addresses are below the mount: `<mount>/api/v1/…`. It answers the machine it
runs on, or whoever sends the token (`Authorization: Bearer …`) or is let in by a rule.

Names end in their unit: `_ms` milliseconds, `_kb` KiB, `_ns` nanoseconds; times are Unix seconds. A figure that cannot
be known is null. Percentiles come from histograms and are right within 1.083 %; with a `count` below 20 they say
little. Each parameter is given at most once; given empty, it is not given; an unknown one is refused. `range` and
`from`/`to` exclude each other. Lists that have a `cursor` go on with it.

A POST changes something: it takes a JSON document of at most {LONGEST:,} bytes, from a program or from a page of the
dashboard itself.
"""

_STATUSES = {
    "400": "A parameter or the document makes no sense; the message names the value and what is allowed.",
    "403": "Neither from this machine nor with a token that is known; or a POST from another site's page.",
    "404": "What the question is about is not in the store.",
    "503": "The store or a database cannot be read, or the question took too long.",
}

#: Shapes told once and referred to.
NAMED = {
    "Endpoint": parts.ENDPOINT, "TransactionRow": parts.ROW, "Series": parts.SERIES, "Heatmap": parts.HEATMAP,
    "Histogram": parts.HISTOGRAM, "Insight": parts.INSIGHT, "Source": parts.SOURCE, "Kinds": parts.KINDS,
    "Frame": parts.FRAME, "Place": parts.PLACE, "SourcedPlace": parts.SOURCED, "Statement": parts.QUERY,
    "Plan": parts.PLAN, "Side": parts.SIDE, "Stacked": parts.STACKED, "Error": parts.ERROR,
}  # fmt: skip


@functools.cache
def document() -> dict[str, Any]:
    """The whole document; it does not depend on the store."""
    paths: dict[str, dict[str, Any]] = {}
    for name, route in ROUTES.items():
        paths[f"/{name}"] = {"get": _question(name, declared(name, route.parameters))}
    for name, (_, keys) in CHANGES.items():
        paths.setdefault(f"/{name}", {})["post"] = _change(name, body(name, keys))
    schemas = {name: shapes.inlined(shape, NAMED, meanings.meaning) for name, shape in NAMED.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "apm-agent", "version": __version__, "description": _ABOUT, "license": _LICENSE},
        "servers": [{"url": ".", "description": "Beside this document."}],
        "paths": paths,
        "components": {"schemas": schemas, "responses": _RESPONSES, "securitySchemes": _SCHEMES},
        "security": [{}, {"token": []}],
    }


_LICENSE = {"name": "MIT", "identifier": "MIT"}
_SCHEMES = {"token": {"type": "http", "scheme": "bearer"}}
_RESPONSES = {
    f"Error{status}": {
        "description": said,
        "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for status, said in _STATUSES.items()
}


def _question(name: str, told: Mapping[str, Parameter]) -> dict[str, Any]:
    answer = ANSWERS.get(name, shapes.Each(shapes.ANY))
    content: dict[str, Any]
    if isinstance(answer, shapes.File):
        content = {answer.content_type: {"schema": {}}}
    else:
        content = {_JSON: {"schema": _schema(answer)}}
    if "format" in told and COLUMNAR in told["format"].choices:
        content = _with_downloads(content)
    return {
        "operationId": name,
        "summary": meanings.QUESTIONS.get(name, ""),
        "parameters": [_parameter(key, each) for key, each in told.items()],
        "responses": {
            "200": {"description": "The answer.", "content": content},
            **_errors("400", "403", *_missing(told), "503"),
        },
    }


def _missing(told: Mapping[str, Parameter]) -> tuple[str, ...]:
    """Where something is asked for by its id or name, it may not be there."""
    named = any(each.required or each.pattern for key, each in told.items() if key not in COMMON)
    return ("404",) if named or "name" in told else ()


def _with_downloads(content: dict[str, Any]) -> dict[str, Any]:
    """A download may be JSON of another tool's making, or no JSON at all."""
    columns = content[_JSON]["schema"]
    kinds = sorted({row.content_type for row in EXPORTERS.values()} - {_JSON})
    return {
        _JSON: {"schema": {"anyOf": [columns, {"type": "object", "description": "Another tool's format."}]}},
        **{kind: {"schema": {}} for kind in kinds},
    }


def _change(name: str, told: Mapping[str, Parameter]) -> dict[str, Any]:
    ways = [_document({key: told[key] for key in way}) for way in BODIES_BY_WAY.get(name, (tuple(told),))]
    taken = ways[0] if len(ways) == 1 else {"oneOf": ways}
    example = {key: each.example for key, each in told.items() if each.required}
    return {
        "operationId": f"change_{name}",
        "summary": meanings.CHANGES.get(name, ""),
        "requestBody": {"required": True, "content": {_JSON: {"schema": taken, "example": example}}},
        "responses": {
            "200": {
                "description": "What was done.",
                "content": {_JSON: {"schema": _schema(CHANGED.get(name, shapes.Each(shapes.ANY)))}},
            },
            **_errors("400", "403", *_missing(told), "503"),
        },
    }


def _document(told: Mapping[str, Parameter]) -> dict[str, Any]:
    keys = {key: {**parameters.schema(each), "description": each.about} for key, each in told.items()}
    needed = [key for key, each in told.items() if each.required]
    return {"type": "object", "properties": keys, "required": needed, "additionalProperties": False}


def _parameter(name: str, told: Parameter) -> dict[str, Any]:
    made = {
        "name": name,
        "in": "query",
        "required": told.required,
        "description": told.about,
        "schema": parameters.schema(told),
    }
    if not told.required:
        made["allowEmptyValue"] = True
    # What is one of a few words shows them all.
    return made if told.example == "" or told.kind == parameters.CHOICE else {**made, "example": told.example}


def _errors(*statuses: str) -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/Error{status}"} for status in statuses}


def _schema(shape: shapes.Shape) -> dict[str, Any]:
    return shapes.schema(shape, NAMED, meanings.meaning)
