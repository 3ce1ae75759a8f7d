"""The question `captures`: what was measured on demand, of one endpoint or of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apm_agent.queries.captures import captures, of_transaction
from apm_agent.queries.connection import Connection
from apm_agent.queries.scope import check_kind, scope_of
from apm_agent.queries.units import parse_id
from apm_agent.queries.window import Window
from apm_agent.web import parameters as read

PARAMETERS = ("name", "kind", "capture", "id")


def answer(connection: Connection, given: Mapping[str, str]) -> tuple[dict[str, Any] | None, Window | None]:
    """Of the endpoints of a name in all services, unless narrowed, or of one transaction, whenever it was.

    None for a name that is not in the store.
    """
    if given.get("id"):
        return of_transaction(connection, scope_of(connection), parse_id(given["id"])), None
    window = read.window(given)
    name, kind = read.text(given, "name"), read.text(given, "kind")
    check_kind(kind)
    scope = scope_of(connection, read.text(given, "service"), read.text(given, "release"))
    wanted = {
        key: each
        for key, each in scope.endpoints.items()
        if name in ("", each.name) and kind in ("", each.kind)
    }
    if name and not wanted:
        return None, window
    narrowed = scope._replace(endpoints=wanted)
    return captures(connection, window, narrowed, wanted, read.text(given, "capture")), window
