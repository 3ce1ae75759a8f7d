"""Elasticsearch 8 and 9, sync and async: a span a call of the API, retries included.

Not through the client's OpenTelemetry: that is there only where the application has it installed. Of a call its name
and its indices are kept, of queries, documents and their ids nothing.
"""

from __future__ import annotations

from typing import Any

from apm_agent.instruments import dbapi
from apm_agent.instruments.rows import Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span


def call(span: Span, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``perform_request(method, path, *, params, headers, body, endpoint_id, path_parts)``; the last two since 8.12."""
    endpoint = kwargs.get("endpoint_id")
    if isinstance(endpoint, str):
        index = (kwargs.get("path_parts") or {}).get("index")
        span.name = f"{endpoint} {index}"[:200] if isinstance(index, str) else endpoint
    else:
        method = args[0] if args else kwargs["method"]
        span.name = f"{method} {_known(args[1] if len(args) > 1 else kwargs['path'])}"[:200]
    span.tags = {"system": "elasticsearch"}


def _known(path: str) -> str:
    """``/customer/_doc/7`` as ``/customer/_doc/?``: the indices, and what begins with an underscore, is the API's."""
    index, *parts = path.partition("?")[0].strip("/").split("/")
    return "/" + "/".join((index, *(part if part.startswith("_") else "?" for part in parts)))


def hits(span: Span, response: Any, args: tuple[Any, ...]) -> None:
    """Documents found, or operations of a bulk."""
    body = response.body
    if isinstance(body, dict):
        found = body.get("hits")
        rows = found.get("hits") if isinstance(found, dict) else body.get("items")
        if isinstance(rows, list):
            dbapi.count_rows(span, len(rows))


def _calling(side: str) -> Timed:
    target = f"elasticsearch.{side}.client._base:BaseClient.perform_request"
    return Timed(target, call, kind="db", leaf=True, name="elasticsearch", finish=hits)


PATCHES = (_calling("_sync"), _calling("_async"))

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "Elasticsearch (sync, async)",
    "patch of `BaseClient.perform_request`",
    "API call and indices (before 8.12 method and path without ids), hits or bulk items, nothing of "
    "queries or documents; retries included, no HTTP span below",
    ("elasticsearch",),
    note="against a small responder that answers as Elasticsearch does",
)
