"""Which question each address of the API asks, and with which parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from werkzeug.wrappers import Response

from apm_agent.errors import NotFoundError, QuestionError
from apm_agent.exporters import EXPORTERS, write
from apm_agent.model.database import TITLES, Database
from apm_agent.plans.allowed import refusal
from apm_agent.queries import arms as arms_queries
from apm_agent.queries import endpoint as endpoint_queries
from apm_agent.queries import health as health_queries
from apm_agent.queries import leaks as leak_queries
from apm_agent.queries import missing
from apm_agent.queries import overview as overview_queries
from apm_agent.queries import profile as profile_queries
from apm_agent.queries import statement as statement_queries
from apm_agent.queries import statements as statements_queries
from apm_agent.queries import trace as trace_queries
from apm_agent.queries.bytecode import bytecode
from apm_agent.queries.connection import Connection
from apm_agent.queries.endpoints import Page, endpoints
from apm_agent.queries.scope import one_endpoint, scope_of
from apm_agent.queries.subject import Endpoints, OneTransaction, Subject
from apm_agent.queries.units import hex_id, parse_id
from apm_agent.queries.window import Window
from apm_agent.web import acting as acting_answers
from apm_agent.web import contrasts, explained, flying, lists, measured
from apm_agent.web import parameters as read
from apm_agent.web import saved as saved_pages
from apm_agent.web.acting import Acting
from apm_agent.web.changes import parse_statement
from apm_agent.web.declared import COLUMNAR, declared
from apm_agent.web.parameters import Given

Answer = dict[str, Any] | Response


class Asked(NamedTuple):
    """What a question is put with."""

    connection: Connection
    given: Given
    store_url: str
    version: str
    databases: tuple[Database, ...] = ()
    acting: Acting = Acting()


class Route(NamedTuple):
    """A question, and the parameters it takes beside those all take."""

    answer: Callable[[Asked], tuple[Answer, Window | None]]
    parameters: tuple[str, ...] = ()


def _overview(asked: Asked) -> tuple[Answer, Window | None]:
    window = read.window(asked.given)
    return overview_queries.overview(asked.connection, window, **_narrowed(asked.given)), window


def _endpoints(asked: Asked) -> tuple[Answer, Window | None]:
    window = read.window(asked.given)
    page = Page(
        sort=read.choice(asked.given, "sort"),
        text=read.text(asked.given, "q"),
        kind=read.text(asked.given, "kind"),
        limit=read.whole(asked.given, "limit"),
        offset=read.whole(asked.given, "cursor"),
    )
    return endpoints(asked.connection, window, page, **_narrowed(asked.given)), window


def _endpoint(asked: Asked) -> tuple[Answer, Window | None]:
    window = read.window(asked.given)
    name = read.required(asked.given, "name")
    kind = read.text(asked.given, "kind")
    found = endpoint_queries.endpoint(asked.connection, window, name, kind, **_narrowed(asked.given))
    if found is None:
        raise missing.endpoint(name)
    return found, window


def _trace(asked: Asked) -> tuple[Answer, Window | None]:
    number = parse_id(read.required(asked.given, "id"))
    found = trace_queries.trace(asked.connection, number, read.given_window(asked.given))
    if found is None:
        raise missing.transaction(number)
    return found, found.pop("around")


def _bytecode(asked: Asked) -> tuple[Answer, Window | None]:
    number = parse_id(read.required(asked.given, "id"))
    file, function = (read.required(asked.given, name) for name in ("file", "function"))
    found = bytecode(asked.connection, number, file, function)
    if found is None:
        raise NotFoundError(
            f"no samples of {function[:100]!r} in {file[:100]!r} are kept with {hex_id(number)}"
        )
    return found, read.window(asked.given)


def _profile(asked: Asked) -> tuple[Answer, Window | None]:
    given = asked.given
    form, clock, least = read.choice(given, "format"), read.choice(given, "clock"), _prune(given)
    if form != COLUMNAR and clock != profile_queries.WALL:
        raise QuestionError(
            f"clock={clock} is answered in format={COLUMNAR}: exports tell the time that passed"
        )
    subject, name, window = _subject(asked)
    if form == COLUMNAR:
        return profile_queries.columnar(subject.profiled(), least, clock), window
    return _download(form, subject, name, read.text(given, "source")), window


def _subject(asked: Asked) -> tuple[Subject, str, Window | None]:
    """A transaction, an endpoint in the window, or all there is in it."""
    given, connection = asked.given, asked.connection
    if given.get("id"):
        number = parse_id(given["id"])
        one = OneTransaction(connection, number)
        if not one.kept():
            raise NotFoundError(f"no samples of the transaction {hex_id(number)} are in the store")
        return one, hex_id(number), read.given_window(given)
    window = read.window(given)
    narrowed = _narrowed(given)
    scope = scope_of(connection, **narrowed)
    name = read.text(given, "name")
    if not name:
        return Endpoints(connection, window, scope.endpoints, scope.releases), "all", window
    found = one_endpoint(connection, name, read.text(given, "kind"), narrowed["service"])
    if found is None:
        raise missing.endpoint(name)
    return Endpoints(connection, window, [found.id], scope.releases), name, window


def _download(form: str, subject: Subject, name: str, source: str) -> Response:
    row = EXPORTERS[form]
    return _attached(write(form, subject, source), row.content_type, name, row.ending)


def _attached(data: bytes, content_type: str, name: str, ending: str) -> Response:
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "profile"
    response = Response(data, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{safe}{ending}"'
    return response


def put(asked: Asked, question: str, given: Mapping[str, str]) -> tuple[Answer, Window | None]:
    """The answer to one question in the place of another."""
    told = declared(question, ROUTES[question].parameters)
    return ROUTES[question].answer(asked._replace(given=read.again(given, told)))


def _saved(asked: Asked) -> tuple[Answer, Window | None]:
    data, name = saved_pages.page(asked, put)
    return _attached(data, "text/html; charset=utf-8", name, ".html"), None


def _compare(asked: Asked) -> tuple[Answer, Window | None]:
    return contrasts.compared(asked.connection, asked.given, _prune(asked.given))


def _prune(given: Given) -> float:
    return read.number(given, "prune") or 0.0


def _job(asked: Asked) -> tuple[Answer, Window | None]:
    found, window = lists.job(asked.connection, asked.given)
    if found is None:
        raise NotFoundError(f"there is no job {asked.given['name'][:100]!r} in the store")
    return found, window


def _error(asked: Asked) -> tuple[Answer, Window | None]:
    found, window = lists.error(asked.connection, asked.given)
    if found is None:
        raise NotFoundError(f"there is no such failure of type {asked.given['type'][:100]!r} in this window")
    return found, window


def _health(asked: Asked) -> tuple[Answer, Window | None]:
    return health_queries.health(asked.connection, asked.store_url, asked.version), read.window(asked.given)


def _queries(asked: Asked) -> tuple[Answer, Window | None]:
    window = read.window(asked.given)
    page = statements_queries.Page(
        sort=read.choice(asked.given, "sort"),
        text=read.text(asked.given, "q"),
        limit=read.whole(asked.given, "limit"),
        offset=read.whole(asked.given, "cursor"),
    )
    return statements_queries.statements(asked.connection, window, page, **_narrowed(asked.given)), window


def _query(asked: Asked) -> tuple[Answer, Window | None]:
    window = read.window(asked.given)
    number = parse_statement(read.required(asked.given, "id"))
    found = statement_queries.statement(asked.connection, window, number, **_narrowed(asked.given))
    if found is None:
        raise missing.statement(number)
    names = [{"name": each.name, "engine": TITLES[each.engine]} for each in asked.databases]
    return {**found, "explain": {"databases": names, "refused": refusal(found["text"])}}, window


def _arms(asked: Asked) -> tuple[Answer, Window | None]:
    listed = arms_queries.listed(asked.connection, read.text(asked.given, "name"))
    return {"arms": listed}, read.window(asked.given)


def _captures(asked: Asked) -> tuple[Answer, Window | None]:
    found, window = measured.answer(asked.connection, asked.given)
    if found is None:
        raise missing.endpoint(asked.given["name"])
    return found, window


def _live(asked: Asked) -> tuple[Answer, Window | None]:
    return flying.answer(asked.connection, asked.given), read.window(asked.given)


def _memory(asked: Asked) -> tuple[Answer, Window | None]:
    window = read.window(asked.given)
    return leak_queries.memory(asked.connection, window, **_narrowed(asked.given)), window


def _narrowed(given: Given) -> dict[str, str]:
    return {"service": read.text(given, "service"), "release": read.text(given, "release")}


ROUTES = {
    "overview": Route(_overview),
    "explain": Route(lambda asked: explained.answer(asked.connection, asked.given), explained.PARAMETERS),
    "endpoints": Route(_endpoints, ("kind", "sort", "q", "limit", "cursor")),
    "groups": Route(lambda asked: lists.groups(asked.connection, asked.given), lists.GROUPS),
    "filters": Route(lambda asked: lists.filters(asked.connection, asked.given)),
    "endpoint": Route(_endpoint, ("name", "kind")),
    "traces": Route(lambda asked: lists.traces(asked.connection, asked.given), lists.TRACES),
    "trace": Route(_trace, ("id",)),
    "bytecode": Route(_bytecode, ("id", "file", "function")),
    "blame": Route(acting_answers.blamed, acting_answers.BLAME),
    "saved": Route(_saved, saved_pages.PARAMETERS),
    "site": Route(acting_answers.site),
    "profile": Route(_profile, ("name", "kind", "id", "format", "prune", "source", "clock")),
    "compare": Route(_compare, contrasts.PARAMETERS),
    "queries": Route(_queries, ("sort", "q", "limit", "cursor")),
    "query": Route(_query, ("id",)),
    "arms": Route(_arms, ("name",)),
    "captures": Route(_captures, measured.PARAMETERS),
    "memory": Route(_memory),
    "jobs": Route(lambda asked: lists.jobs(asked.connection, asked.given), lists.PAGED),
    "job": Route(_job, lists.JOB),
    "errors": Route(lambda asked: lists.errors(asked.connection, asked.given), lists.PAGED),
    "error": Route(_error, lists.ERROR),
    "live": Route(_live, flying.PARAMETERS),
    "health": Route(_health),
}


def as_json(document: Mapping[str, Any], status: int = 200) -> Response:
    """An answer as JSON; what JSON cannot say (NaN, half a surrogate pair) never gets out."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Response(text, status, content_type="application/json")


def error(status: int, code: str, message: str) -> Response:
    """An answer that says what went wrong."""
    return as_json({"error": {"code": code, "message": message}}, status)
