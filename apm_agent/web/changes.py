"""The few requests that change something: same-origin POSTs of JSON, and which part of the house does it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from apm_agent.errors import QuestionError
from apm_agent.model.arm import CPROFILE, USUAL_LIFE
from apm_agent.model.database import Database
from apm_agent.model.live import ASKED_FOR
from apm_agent.plans import keeping
from apm_agent.plans.explain import explain
from apm_agent.queries import arms, live, missing, plans, seconds, statement
from apm_agent.queries.connection import Connection

#: Bytes of a document.
LONGEST = 10_000
Given = Mapping[str, Any]


class Site(NamedTuple):
    """What is changed: the store, and the databases that may be asked for plans."""

    connection: Connection
    databases: tuple[Database, ...] = ()


class ForeignError(QuestionError):
    """The request comes from a page that is not ours."""


def _arms(site: Site, given: Given) -> dict[str, Any]:
    connection = site.connection
    cancelled = _text(given, "cancel")
    if cancelled:
        if len(given) > 1:
            raise QuestionError("cancel= stands alone: give the id of the arm and nothing else")
        return {"cancelled": arms.cancel(connection, cancelled)}
    return {
        "arm": arms.arm(
            connection,
            _text(given, "endpoint"),
            _text(given, "capture") or CPROFILE,
            _whole(given, "count", 1),
            _number(given, "seconds", USUAL_LIFE),
            _text(given, "service"),
        )
    }


def _live(site: Site, given: Given) -> dict[str, Any]:
    if "capture" not in given:
        return {"asked_until": live.ask(site.connection.path), "capture": None}
    asked = seconds.ask(site.connection.path, _number(given, "capture", 0))
    return {"asked_until": asked.at + ASKED_FOR, "capture": asked._asdict()}


def _plan(site: Site, given: Given) -> dict[str, Any]:
    number = parse_statement(_text(given, "statement"))
    text = statement.text_of(site.connection, number)
    if text is None:
        raise missing.statement(number)
    database = _database(site, _text(given, "database"))
    release = statement.last_release(site.connection, number)
    made = explain(database, text)
    asked = keeping.Asked(number, release, database.name, time.time_ns())
    refused = keeping.keep(site.connection.path, asked, made)
    site.connection.renew()  # the database had its own time
    kept = plans.kept(site.connection, number) if refused is None else []
    return {"plan": kept[0] if kept else plans.fresh(asked, made), "not_kept": refused}


def _database(site: Site, name: str) -> Database:
    if not site.databases:
        raise QuestionError("plans are off: name a database in the setting explain, APM_AGENT_EXPLAIN")
    found = [each for each in site.databases if each.name == name or (not name and len(site.databases) == 1)]
    if not found:
        raise QuestionError(
            f"database={name[:40]!r} is not one of {', '.join(each.name for each in site.databases)}"
        )
    return found[0]


def parse_statement(text: str) -> int:
    """The id of a statement as the API writes it: 63 bits in decimal digits."""
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) >= 1 << 63:
        raise QuestionError(f"{text[:40]!r} is not the id of a statement: up to 19 digits")
    return int(text)


#: Address below the API → what it does, and the keys it takes.
CHANGES: dict[str, tuple[Callable[[Site, Given], dict[str, Any]], tuple[str, ...]]] = {
    "arms": (_arms, ("endpoint", "capture", "count", "seconds", "service", "cancel")),
    "live": (_live, ("capture",)),
    "plan": (_plan, ("statement", "database")),
}


def read(request: Request, allowed: tuple[str, ...]) -> Given:
    """The document a request carries, if a page of ours or no page at all sent it.

    A browser names the page's origin and cannot be talked into JSON for a foreign address without asking us first,
    which we never answer; a program that is no browser sends neither header.
    """
    _check_origin(request)
    if request.mimetype != "application/json":
        raise QuestionError(f"content-type {request.mimetype[:40]!r} is not application/json")
    if request.content_length is None or request.content_length > LONGEST:
        raise QuestionError(f"the document is longer than {LONGEST} bytes, or its length is not given")
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


def _whole(given: Given, name: str, default: int) -> int:
    value = _number(given, name, default)
    if not math.isfinite(value) or int(value) != value:
        raise QuestionError(f"{name}={repr(value)[:40]} is not a whole number")
    return int(value)
