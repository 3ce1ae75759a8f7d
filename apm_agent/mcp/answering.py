"""Answers a tool's call from a store: the question's own reading of parameters, then what an assistant needs of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apm_agent.errors import QuestionError, StoreError
from apm_agent.mcp import trimming
from apm_agent.mcp.tools import TOOLS
from apm_agent.queries.pool import Pool
from apm_agent.web import parameters
from apm_agent.web.common import with_common
from apm_agent.web.routes import ROUTES, Asked

#: What is looked at where the call does not say: who asks what is slow seldom means the last hour.
RANGE = "24h"


class Answering:
    """One store, read only."""

    def __init__(self, store_url: str, version: str, show_context: bool = False) -> None:
        self._url = store_url
        self.version = version
        self._pool = Pool(store_url)
        self._show_context = show_context

    def answer(self, name: str, arguments: Mapping[str, Any]) -> str:
        """The answer as text; raises `QuestionError` or `StoreError` with words that help."""
        tool = TOOLS.get(name)
        if tool is None:
            raise QuestionError(f"there is no tool {name[:60]!r}; there are {', '.join(TOOLS)}")
        told = tool.parameters()
        given = {key: _text(key, value) for key, value in arguments.items() if value is not None}
        if "range" in told and not any(given.get(key) for key in parameters.WINDOW):
            given["range"] = RANGE
        read = parameters.again(given, told)
        with self._pool.session() as connection:
            if connection.empty:
                raise StoreError(
                    f"there is no store at {connection.path} yet: start the application with `apm-agent run`, or name "
                    "the right file with `apm-agent mcp --store`"
                )
            answer, window = ROUTES[tool.question].answer(Asked(connection, read, self._url, self.version))
            if not isinstance(answer, dict):
                raise QuestionError("this is answered as a file, which is of no use here")
            whole = with_common(answer, connection, window)
        if tool.fold is not None:
            whole = tool.fold(whole)
        keeps = (*tool.keeps, "window", "store") if tool.keeps else tuple(whole)
        kept = {key: whole[key] for key in keeps if key in whole}
        return trimming.small(trimming.masked(kept, self._show_context))


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if not isinstance(value, (str, int, float)):
        raise QuestionError(f"{name}={repr(value)[:40]} is not a text or a number")
    return str(value)
