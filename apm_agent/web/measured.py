"""The question `captures`: what was measured on demand, of one endpoint or of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apm_agent.queries.captures import captures
from apm_agent.queries.connection import Connection
from apm_agent.queries.scope import check_kind, scope_of
from apm_agent.queries.window import Window
from apm_agent.web import parameters as read

PARAMETERS = ("name", "kind", "capture")


def answer(connection: Connection, given: Mapping[str, str]) -> tuple[dict[str, Any] | None, Window]:
    """Of the endpoints of a name in all services, unless narrowed; None for a name that is not in the store."""
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
