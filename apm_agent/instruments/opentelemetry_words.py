"""What OpenTelemetry's attributes say, in our words; an attribute nobody vouches for is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apm_agent.model.scrub import scrub_text

_INSTRUMENTATION = "opentelemetry.instrumentation."
#: Their name of an instrumentation → our instrument that sees the same, where the names differ.
_OURS = {"aiohttp_client": "aiohttp", "urllib": "http_client", "threading": "threads"}
#: Libraries that make such spans by themselves → our instrument.
_NATIVE = {"elasticsearch-api": "elasticsearch"}
#: Instrumentations of what opens transactions.
ENTRIES = frozenset(
    {
        "asgi",
        "wsgi",
        "flask",
        "django",
        "fastapi",
        "starlette",
        "aiohttp_server",
        "falcon",
        "pyramid",
        "tornado",
    }
)

#: Texts under these keys name things, and are no values of users.
_NAMES = frozenset(
    {
        "db.system", "db.system.name", "db.name", "db.namespace", "db.operation", "db.operation.name",
        "db.collection.name", "db.sql.table", "server.address", "net.peer.name", "peer.service", "rpc.system",
        "rpc.service", "rpc.method", "messaging.system", "messaging.destination", "messaging.destination.name",
        "messaging.operation", "error.type", "http.request.method", "http.method", "code.function", "gen_ai.system",
        "gen_ai.operation.name", "gen_ai.request.model", "gen_ai.response.model",
    }
)  # fmt: skip
#: Whatever lies below these is what a user or a peer sent.
_VALUES = (
    "db.statement", "db.query", "url.", "http.url", "http.target", "http.request.header", "http.response.header",
    "exception.", "enduser.", "user.", "client.", "net.peer.ip", "messaging.message", "gen_ai.prompt", "gen_ai.input",
    "gen_ai.output", "gen_ai.completion", "rpc.request", "rpc.response",
)  # fmt: skip
_SQL = frozenset(
    {
        "postgresql", "mysql", "mariadb", "sqlite", "mssql", "microsoft.sql_server", "oracle", "oracle.db", "db2",
        "cockroachdb", "clickhouse", "redshift", "other_sql", "trino", "snowflake", "spanner", "gcp.spanner",
    }
)  # fmt: skip
_STATEMENTS = ("db.query.text", "db.statement")


def instrument_of(scope: str) -> str | None:
    """The name of what a tracer is for, as our instruments are called; None where none could see the same."""
    if not scope.startswith(_INSTRUMENTATION):
        return _NATIVE.get(scope)
    name = scope[len(_INSTRUMENTATION) :].partition(".")[0]
    return _OURS.get(name, name)


def kind_of(kind: str, attributes: Mapping[str, Any]) -> str:
    """Our kind of a span of theirs."""
    if any(key.startswith("db.") for key in attributes):
        return "db"
    return "http" if kind in {"CLIENT", "PRODUCER"} else "code"


def statement_of(attributes: Mapping[str, Any]) -> str | None:
    """The SQL text, which the writer normalises; of a store that speaks another language none is kept."""
    system = attributes.get("db.system.name") or attributes.get("db.system")
    if system not in _SQL:
        return None
    found = next((attributes[key] for key in _STATEMENTS if attributes.get(key)), None)
    return found if isinstance(found, str) else None


def tags_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers, names of things, and texts of the application's own without their query strings, scrubbed."""
    kept: dict[str, Any] = {}
    for key, value in attributes.items():
        if key.startswith(_VALUES):
            continue
        if isinstance(value, (bool, int, float)):
            kept[key] = value
        elif isinstance(value, str):
            kept[key] = value[:200] if key in _NAMES else scrub_text(value[:500].partition("?")[0])
    return kept
