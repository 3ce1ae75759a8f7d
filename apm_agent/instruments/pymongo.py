"""pymongo, sync and async, and Motor on top of it: a span a command, through pymongo's own monitoring.

Its events come on the caller's thread or task, but of a cancelled command comes no end. So the span is made when the
command has ended, from how long pymongo says it took; nothing can be left open. Of a command its name and collection
are kept, of its documents nothing. Clients made before the agent started are not seen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments import dbapi
from apm_agent.instruments.rows import Attached, Returning
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current

_SYSTEM = "mongodb"
#: Each command takes a connection from the pool; shorter waits than this are none.
_LEAST_WAIT_NS = 1_000_000
#: Commands whose value is a collection; what others are given may be anything.
_OF_A_COLLECTION = frozenset(
    ("aggregate", "collStats", "count", "create", "createIndexes", "delete", "distinct", "drop", "dropIndexes", "find",
     "findAndModify", "insert", "listIndexes", "mapReduce", "update", "validate")
)  # fmt: skip
_listening = contained("listening to pymongo")
#: The command that runs in this context, by pymongo's number of it, and the name it gets.
_running: ContextVar[tuple[int, str] | None] = ContextVar("apm_agent_mongodb_running", default=None)


def attach(monitoring: Any) -> Callable[[], None]:
    """Listen to all clients made from now on."""
    commands = _listener(monitoring)
    monitoring.register(commands)

    def detach() -> None:
        commands.on = False  # clients keep the listeners they were made with
        monitoring._LISTENERS.command_listeners.remove(commands)

    return detach


def _listener(monitoring: Any) -> Any:
    class Commands(monitoring.CommandListener):  # type: ignore[misc]
        """Makes the span of a command."""

        on = True

        def started(self, event: Any) -> None:
            if current.get() is not None and self.on:
                with _listening:
                    _running.set((event.request_id, _name(event)))

        def succeeded(self, event: Any) -> None:
            if current.get() is not None and self.on:
                with _listening:
                    span = _made(event)
                    if span is not None:
                        _count(span, event.reply)
                        tracing.close_span(span)

        def failed(self, event: Any) -> None:
            if current.get() is not None and self.on:
                with _listening:
                    span = _made(event)
                    if span is not None:
                        span.tag(
                            error=str(
                                event.failure.get("codeName") or event.failure.get("errtype") or "error"
                            )
                        )
                        tracing.close_span(span)

    return Commands()


def _name(event: Any) -> str:
    """``find customer``, ``getMore customer``, ``ping``."""
    command = str(event.command_name)
    key = "collection" if command == "getMore" else command if command in _OF_A_COLLECTION else ""
    target = event.command.get(key)
    return f"{command} {target}"[:200] if isinstance(target, str) else command


def _made(event: Any) -> Span | None:
    running = _running.get()
    name = running[1] if running is not None and running[0] == event.request_id else event.command_name
    span = tracing.open_span("db", name, True, 2)
    if span is not None:
        span.tags = {"system": _SYSTEM}
        _begin_earlier(span, span.start_ns - event.duration_micros * 1000)
    return span


def _begin_earlier(span: Span, start_ns: int) -> None:
    parent = span.parent
    span.start_ns = max(start_ns, span.transaction.start_ns if parent is None else parent.start_ns)


def _count(span: Span, reply: Any) -> None:
    """Documents found, or how many were written."""
    found = reply.get("cursor")
    if found is None:
        dbapi.count_rows(span, reply.get("n"))
    else:
        batch = found.get("firstBatch")
        dbapi.count_rows(span, len(found.get("nextBatch", ()) if batch is None else batch))


def take(wrapped: Callable[..., Any], pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Pool._get_conn(…)``, connecting included; pymongo's events of it would cost each command 6 µs."""
    if current.get() is None or tracing.tracer is None:
        return wrapped(*args, **kwargs)
    asked_ns = tracing.tracer.monotonic()
    try:
        connection = wrapped(*args, **kwargs)
    except BaseException as error:
        _waited(asked_ns, type(error).__name__)
        raise
    _waited(asked_ns)
    return connection


async def take_async(
    wrapped: Callable[..., Awaitable[Any]], pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The same of an async client."""
    if current.get() is None or tracing.tracer is None:
        return await wrapped(*args, **kwargs)
    asked_ns = tracing.tracer.monotonic()
    try:
        connection = await wrapped(*args, **kwargs)
    except BaseException as error:
        _waited(asked_ns, type(error).__name__)
        raise
    _waited(asked_ns)
    return connection


def _waited(asked_ns: int, error: str | None = None) -> None:
    tracer = tracing.tracer
    if tracer is None or tracer.monotonic() - asked_ns < _LEAST_WAIT_NS:
        return
    with _listening:
        span = tracing.open_span("wait", "connection pool", True, 2)
        if span is not None:
            span.tags = {"system": _SYSTEM} if error is None else {"system": _SYSTEM, "error": error}
            _begin_earlier(span, asked_ns)
            tracing.close_span(span)


PATCHES = (
    Attached("pymongo.monitoring", attach),
    # Since 4.9; before, the wait for the pool is not told apart.
    Returning("pymongo.synchronous.pool:Pool._get_conn", take),
    Returning("pymongo.asynchronous.pool:Pool._get_conn", take_async),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "pymongo (sync, async), Motor",
    "pymongo's `CommandListener`; patch of the pools' `_get_conn` (since 4.9)",
    "command and collection, documents found or written, nothing of any document; waits for the pool of 1 "
    "ms and more apart. Clients made before the agent started are not seen",
    ("pymongo", "motor"),
    note="pymongo 4.6 sync and under Motor; against a small responder that answers as MongoDB does",
)
