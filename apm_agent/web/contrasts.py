"""Reads which two sides are to be compared, each with the endpoint it is about, and compares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apm_agent.errors import NotFoundError
from apm_agent.queries.compare import NothingError, compare
from apm_agent.queries.connection import Connection
from apm_agent.queries.sides import Wanted, side
from apm_agent.queries.usual import usual
from apm_agent.queries.window import Window
from apm_agent.web import parameters as read

#: Of the endpoint after, where it is another one: any of these alone is enough.
_OTHER = ("b_name", "b_kind", "b_service")
PARAMETERS = ("a", "b", "by", "name", "kind", *_OTHER, "prune")


def compared(
    connection: Connection, given: Mapping[str, str], prune: float
) -> tuple[dict[str, Any], Window | None]:
    """The comparison; where neither side is named, of this window with the one before, or of two releases."""
    before = Wanted(read.text(given, "name"), read.text(given, "kind"), read.text(given, "service"))
    after = before
    if any(given.get(name) for name in _OTHER):
        after = Wanted(*(read.text(given, name) for name in _OTHER))
    named = bool(given.get("a") or given.get("b"))
    span = read.given_window(given)
    if named:
        labels = read.required(given, "a"), read.required(given, "b")
    else:
        window = read.window(given)
        labels = usual(
            connection, read.text(given, "by"), window, before.service, read.text(given, "release")
        )
        # Releases are looked for as far back as usual, not in the window of a page that asks for none.
        span = None
    a, b = (
        side(connection, label, wanted, span) for label, wanted in zip(labels, (before, after), strict=True)
    )
    try:
        return compare(a, b, prune), span
    except NothingError as nothing:
        raise NotFoundError(str(nothing)) from None
