"""The question `explain`: a box of the heatmap as its parameters say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apm_agent.errors import QuestionError
from apm_agent.queries.connection import Connection
from apm_agent.queries.explain import Box, explain
from apm_agent.queries.window import Window, parse
from apm_agent.web import parameters as read

PARAMETERS = ("min_ms", "max_ms", "base_from", "base_to")


def answer(connection: Connection, given: Mapping[str, str]) -> tuple[dict[str, Any], Window]:
    """The box is from=, to=, min_ms=, max_ms=; it is held against base_from= to base_to=, else against its own time."""
    window = read.window(given)
    least, most = read.milliseconds(given, "min_ms") or 0, read.milliseconds(given, "max_ms")
    if most is not None and most < least:
        raise QuestionError(f"max_ms={given['max_ms'][:40]!r} is less than min_ms={given['min_ms'][:40]!r}")
    box = Box(window, least, most)
    service, release = read.text(given, "service"), read.text(given, "release")
    return explain(connection, box, _base(given, window), service, release), window


def _base(given: Mapping[str, str], window: Window) -> Window:
    start, end = given.get("base_from", ""), given.get("base_to", "")
    if not start:
        if end:
            raise QuestionError("base_to= needs base_from=")
        return window
    try:
        return parse({"from": start, "to": end} if end else {"from": start})
    except QuestionError as error:
        words = str(error).replace("from=", "base_from=").replace("to=", "base_to=")
        raise QuestionError(words) from None
