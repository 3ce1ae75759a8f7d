"""Reads what is in flight, and how far a capture of the next seconds is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apm_agent.errors import NotFoundError
from apm_agent.queries import live, seconds
from apm_agent.queries.connection import Connection
from apm_agent.web import parameters as read

PARAMETERS = ("capture",)


def answer(connection: Connection, given: Mapping[str, str]) -> dict[str, Any]:
    """All of it; the capture only where one is named."""
    found, name = live.in_flight(connection), read.text(given, "capture")
    try:
        found["capture"] = seconds.captured(connection.path, name) if name else None
    except seconds.ForgottenError as forgotten:
        raise NotFoundError(str(forgotten)) from None
    return found
