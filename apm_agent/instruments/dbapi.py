"""What the instruments of database drivers share: a statement's text, its rows, and spans named by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Describe, Timed, Wrapper
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing

_describing = contained("describing a statement")
_UNKNOWN = 1 << 62
_LONGEST = 20_000  # as much as is read of a statement, and some


class leaf:
    """One span around a with-block: ``with leaf(system, "COMMIT"): ...``; does nothing outside a transaction."""

    __slots__ = ("cursor", "span")

    def __init__(self, system: str, name: str = "", query: Any = None, cursor: Any = None) -> None:
        # A frame of a row's own, then the application's.
        span = self.span = tracing.open_span("db", name, True, 1)
        self.cursor = cursor
        if span is not None:
            span.tags = {"system": system}
            if query is not None:
                with _describing:  # or the span would stay open
                    span.statement = text_of(query)

    def __enter__(self) -> Span | None:
        return self.span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        span = self.span
        if span is None:
            return
        if kind is None:
            if self.cursor is not None:
                with _describing:
                    count_rows(span, self.cursor.rowcount)
        elif kind is not GeneratorExit:
            span.tag(error=kind.__name__)
        tracing.close_span(span)


def statement(system: str) -> Describe:
    """Describes ``cursor.execute(query, …)``, whatever the query is named when it is given by keyword."""

    def describe(span: Span, cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        query = args[0] if args else kwargs.get("query") or kwargs.get("operation") or kwargs.get("sql")
        if not query:
            span.name = "ping"  # how pools ask whether the server is still there
        else:
            span.statement = query if type(query) is str else text_of(query)
        span.tags = {"system": system}

    return describe


def named(system: str) -> Describe:
    """Describes what a row's name says all of."""

    def describe(span: Span, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        span.tags = {"system": system}

    return describe


def rows_of_result(span: Span, result: Any, args: tuple[Any, ...]) -> None:
    """For calls that return their cursor."""
    count_rows(span, result.rowcount)


def rows_fetched(span: Span, result: Any, args: tuple[Any, ...]) -> None:
    """For calls that return the rows: all of them, one, or None."""
    count_rows(span, len(result) if isinstance(result, list) else int(result is not None))


def rows_returned(span: Span, result: Any, args: tuple[Any, ...]) -> None:
    """For calls that return how many rows they changed or found."""
    count_rows(span, result)


def count_rows(span: Span, count: Any) -> None:
    """Keep a number of rows; drivers say -1, 0 or the largest of their numbers where they do not know."""
    if isinstance(count, int) and 0 < count < _UNKNOWN:
        span.tag(rows=count)


def procedure(system: str) -> Describe:
    """Describes ``cursor.callproc(procname, …)``; its arguments are not kept."""

    def describe(span: Span, cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        name = args[0] if args else kwargs.get("procname", kwargs.get("sp"))
        span.name = f"CALL {name}"[:200] if isinstance(name, str) else "CALL"
        span.tags = {"system": system}

    return describe


def many(system: str) -> Wrapper:
    """Runs ``cursor.executemany(query, …)``, or another call of which only the cursor knows the rows, as one span."""

    def run(wrapped: Callable[..., Any], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with leaf(system, "", args[0] if args else kwargs.get("query", kwargs.get("statement")), cursor):
            return wrapped(*args, **kwargs)

    return run


def many_async(system: str) -> Wrapper:
    """`many` for a coroutine function."""

    async def run(
        wrapped: Callable[..., Awaitable[Any]], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        with leaf(system, "", args[0] if args else kwargs.get("query", kwargs.get("statement")), cursor):
            return await wrapped(*args, **kwargs)

    return run


def finishing(system: str, name: str, is_open: Callable[[Any], bool]) -> Wrapper:
    """Runs ``connection.commit()`` or ``rollback()``: a span only when there is something to finish."""

    def run(
        wrapped: Callable[..., Any], connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if not _said(is_open, connection):
            return wrapped(*args, **kwargs)
        with leaf(system, name):
            return wrapped(*args, **kwargs)

    return run


def finishing_async(system: str, name: str, is_open: Callable[[Any], bool]) -> Wrapper:
    """`finishing` for a coroutine function."""

    async def run(
        wrapped: Callable[..., Awaitable[Any]], connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if not _said(is_open, connection):
            return await wrapped(*args, **kwargs)
        with leaf(system, name):
            return await wrapped(*args, **kwargs)

    return run


def _said(is_open: Callable[[Any], bool], connection: Any) -> bool:
    with _describing:
        return is_open(connection)
    return False


def connecting(target: str, system: str) -> Timed:
    """A row for what opens a connection; where to and who as is not kept."""
    return Timed(target, named(system), kind="db", leaf=True, name="connect")


def command(target: str, system: str, name: str) -> Timed:
    """A row for what always sends the same."""
    return Timed(target, named(system), kind="db", leaf=True, name=name)


def waiting(target: str, system: str) -> Timed:
    """A row for what takes a connection from a pool; connecting and checking it, if need be, lie below."""
    return Timed(target, named(system), kind="wait", name="connection pool")


def text_of(query: Any) -> str | None:
    """SQL as text: of ``str`` and ``bytes``, and of composed queries, whose values are left out as they stand.

    Composed queries are those of psycopg (`sql.Composed`, templates) and psycopg2. They are not asked for their text,
    which needs the connection, may take long, and would bring the values in.
    """
    if isinstance(query, str):
        return query
    if isinstance(query, (bytes, bytearray)):
        return bytes(query[:_LONGEST]).decode("utf-8", "replace")
    parts: list[str] = []
    _collect(query, parts, 0)
    return "".join(parts) or None


def _collect(part: Any, parts: list[str], depth: int) -> None:
    held = getattr(part, "_obj", None)  # psycopg 3
    if held is None:
        held = getattr(part, "_wrapped", None)  # psycopg2
    kind = type(part).__name__
    if kind == "SQL" and isinstance(held, str):
        parts.append(held)
    elif kind == "Identifier" and isinstance(held, (tuple, list)):
        parts.append(".".join('"' + str(name).replace('"', '""') + '"' for name in held))
    elif kind == "Composed" and isinstance(held, (tuple, list)) and depth < 20:
        for inner in held:
            _collect(inner, parts, depth + 1)
    elif kind == "Template":
        parts.append("?".join(part.strings))
    else:
        parts.append("?")
