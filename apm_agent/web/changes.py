"""The few requests that change something: same-origin POSTs of JSON, and which part of the house does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from apm_agent.errors import QuestionError
from apm_agent.model.arm import CPROFILE, USUAL_LIFE
from apm_agent.queries import arms, live
from apm_agent.queries.connection import Connection

_LONGEST = 10_000
Given = Mapping[str, Any]


class ForeignError(QuestionError):
    """The request comes from a page that is not ours."""


def _arms(connection: Connection, given: Given) -> dict[str, Any]:
    cancelled = _text(given, "cancel")
    if cancelled:
        return {"cancelled": arms.cancel(connection, cancelled)}
    return {
        "arm": arms.arm(
            connection,
            _text(given, "endpoint"),
            _text(given, "capture") or CPROFILE,
            int(_number(given, "count", 1)),
            _number(given, "seconds", USUAL_LIFE),
            _text(given, "service"),
        )
    }


def _live(connection: Connection, given: Given) -> dict[str, Any]:
    return {"asked_until": live.ask(connection.path)}


#: Address below the API → what it does, and the keys it takes.
CHANGES: dict[str, tuple[Callable[[Connection, Given], dict[str, Any]], tuple[str, ...]]] = {
    "arms": (_arms, ("endpoint", "capture", "count", "seconds", "service", "cancel")),
    "live": (_live, ()),
}


def read(request: Request, allowed: tuple[str, ...]) -> Given:
    """The document a request carries, if a page of ours or no page at all sent it.

    A browser names the page's origin and cannot be talked into JSON for a foreign address without asking us first,
    which we never answer; a program that is no browser sends neither header.
    """
    _check_origin(request)
    if request.mimetype != "application/json":
        raise QuestionError(f"content-type {request.mimetype[:40]!r} is not application/json")
    if request.content_length is None or request.content_length > _LONGEST:
        raise QuestionError(f"the document is longer than {_LONGEST} bytes, or its length is not given")
    try:
        given = json.loads(request.get_data(cache=False), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise QuestionError("the document is not JSON") from None
    if not isinstance(given, dict) or not set(given) <= set(allowed):
        raise QuestionError(f"the document is not an object of {', '.join(allowed)}")
    return given


def _refuse(name: str) -> None:
    raise ValueError(name)


def _check_origin(request: Request) -> None:
    site = request.headers.get("Sec-Fetch-Site")
    if site == "same-origin":
        return
    origin = request.headers.get("Origin")
    if site is not None or (origin is not None and urlsplit(origin).netloc != request.host):
        raise ForeignError("changes are made from the dashboard's own pages only")


def _text(given: Given, name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise QuestionError(f"{name}={repr(value)[:40]} is not a text")
    return value


def _number(given: Given, name: str, default: float) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise QuestionError(f"{name}={repr(value)[:40]} is not a number")
    return value
