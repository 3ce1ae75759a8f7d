"""sqlite3: statements, commits and rollbacks, through the factories the module offers for it.

A connection made by ``sqlite3.connect`` is of a subclass of what it would have been, and so are its cursors;
with the user's own factories too, whose ``super()`` calls then reach ours. `isinstance`, `row_factory`,
`backup` and C code see a true connection; only ``type(connection) is sqlite3.Connection`` no longer holds.
A factory that is a function, not a class, is left alone, and so are connections made before the agent
started.

SQLite finds rows while they are read: `execute` returns with the first, and a `fetchall` may take a hundred times as
long. So that is timed too and added to the statement's span. Iterating is not: it would make each row two thirds
dearer; that it was done is noted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from apm_agent.clock import system
from apm_agent.errors import contained
from apm_agent.instruments.fetching import fetched_of_statement, one
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.subclassing import like
from apm_agent.instruments.support import Support
from apm_agent.instruments.wrapping import within
from apm_agent.model.span import Fetched, Span
from apm_agent.tracing import tracer as tracing

_STATEMENTS = ("execute", "executemany", "executescript")
_FACTORY = 5  # sqlite3.connect(database, timeout, detect_types, isolation_level, check_same_thread, factory)
_MOST = 200
_NONE: dict[str, Any] = {}  # its methods take no keywords
_preparing = contained("preparing a sqlite3 connection")
#: class of the application → our subclass of it
_subclasses: dict[Any, Any] = {}


def connect(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`sqlite3.connect` with a factory of ours."""
    with _preparing:
        if len(args) > _FACTORY:
            args = (*args[:_FACTORY], traced(args[_FACTORY]), *args[_FACTORY + 1 :])
        else:
            base = sys.modules["_sqlite3"].Connection
            kwargs = {**kwargs, "factory": traced(kwargs.get("factory", base))}
    return wrapped(*args, **kwargs)


def traced(factory: Any) -> Any:
    """Our subclass of a connection or cursor class; anything else as it is."""
    known = _subclasses.get(factory)
    if known is None:
        if not isinstance(factory, type) or len(_subclasses) > _MOST:
            return factory
        known = factory
        with _preparing:
            known = _subclass(factory)
        _subclasses[factory] = known
    return known


def _subclass(factory: type) -> type:
    library = sys.modules["_sqlite3"]
    for base, methods in ((library.Connection, _connection), (library.Cursor, _cursor)):
        if factory is base:
            return _named_like(base, (base,), methods(base))
        if issubclass(factory, base):
            # Between the user's class and the C class, so that what the user overrides stays outermost.
            try:
                return _named_like(factory, (factory, traced(base)), {})
            except TypeError:  # it has slots, and ours has one
                if base is not library.Cursor:
                    raise
                return _named_like(factory, (factory, _without_slot(base)), {})
    return factory


def _without_slot(base: type) -> type:
    # Nothing can be kept at such a cursor, so what it fetches is not timed.
    return _named_like(base, (base,), {name: _executing(getattr(base, name)) for name in _STATEMENTS})


def _named_like(model: type, bases: tuple[type, ...], methods: dict[str, Any]) -> type:
    names = {"__module__": model.__module__, "__qualname__": model.__qualname__, "__doc__": model.__doc__}
    made: type = type(model)(model.__name__, bases, {"__slots__": (), **names, **methods})
    _subclasses[made] = made
    return made


def _connection(base: Any) -> dict[str, Any]:
    plain_cursor, plain_exit, cursor_class = base.cursor, base.__exit__, sys.modules["_sqlite3"].Cursor

    def cursor(self: Any, factory: Any = cursor_class) -> Any:
        return plain_cursor(self, traced(factory))

    def leave(self: Any, *error: Any) -> Any:
        name = "ROLLBACK" if error and error[0] is not None else "COMMIT"
        return _finishing(name, plain_exit)(self, *error)

    return {
        "cursor": like(cursor, plain_cursor),
        "execute": _selecting_anew(base) if sys.version_info >= (3, 11) else _executing(base.execute),
        "executemany": _executing(base.executemany),
        "executescript": _executing(base.executescript),
        "commit": _finishing("COMMIT", base.commit),
        "rollback": _finishing("ROLLBACK", base.rollback),
        "__exit__": like(leave, plain_exit),
    }


def _cursor(base: Any) -> dict[str, Any]:
    return {
        "__slots__": ("_apm_agent",),  # a Fetched, or None
        "execute": _selecting(base.execute),
        "executemany": _executing(base.executemany),
        "executescript": _executing(base.executescript),
        "fetchone": _fetching(base.fetchone, one),
        "fetchmany": _fetching(base.fetchmany, len),
        "fetchall": _fetching(base.fetchall, len),
        "__iter__": _iterating(base.__iter__),
    }


def _executing(plain: Callable[..., Any]) -> Any:
    def execute(self: Any, *args: Any) -> Any:
        span = tracing.open_span("db", "", True)
        if span is None:
            return plain(self, *args)
        return within(span, _run, plain, self, args, _NONE)

    return like(execute, plain)


def _selecting(plain: Callable[..., Any]) -> Any:
    def execute(self: Any, *args: Any) -> Any:
        span = tracing.open_span("db", "", True)
        if span is None:
            self._apm_agent = fetched_of_statement()
            return plain(self, *args)
        self._apm_agent = span.fetched = Fetched()
        return within(span, _run, plain, self, args, _NONE)

    return like(execute, plain)


def _selecting_anew(base: Any) -> Any:
    # Since 3.11 a connection's `execute` asks no method for its cursor, so what it returns would not be ours.
    plain, plain_cursor = base.execute, base.cursor
    watched = traced(sys.modules["_sqlite3"].Cursor)
    plain_execute = watched.execute.__wrapped__

    def execute(self: Any, *args: Any) -> Any:
        span = tracing.open_span("db", "", True)
        if span is None:
            fetched = fetched_of_statement()
            if fetched is None:
                return plain(self, *args)
            cursor = plain_cursor(self, watched)
            cursor._apm_agent = fetched
            return plain_execute(cursor, *args)
        fetched = span.fetched = Fetched()

        def run(self: Any, *args: Any) -> Any:
            cursor = plain_cursor(self, watched)
            cursor._apm_agent = fetched
            return plain_execute(cursor, *args)

        return within(span, _run, run, self, args, _NONE)

    return like(execute, plain)


def _run(
    span: Span, plain: Callable[..., Any], self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    tags = span.tags = {"system": "sqlite"}
    if args and isinstance(args[0], str):
        span.statement = args[0]
    cursor = plain(self, *args)
    rows = cursor.rowcount
    if rows > 0:  # 0 is also said of INSERT … RETURNING before its rows are fetched
        tags["rows"] = rows
    return cursor


def _fetching(plain: Callable[..., Any], count: Callable[[Any], int]) -> Any:
    monotonic = system.monotonic

    # What `fetching.read` does, written again: through it a row of SQLite's would cost a quarter of a µs more.
    def fetch(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            fetched = self._apm_agent
        except AttributeError:  # nothing was executed
            fetched = None
        if fetched is None:
            return plain(self, *args, **kwargs)
        started = monotonic()
        try:
            found = plain(self, *args, **kwargs)
        except BaseException as error:
            fetched.failed(monotonic() - started, error)
            raise
        fetched.ns += monotonic() - started
        fetched.rows += count(found)
        return found

    return like(fetch, plain)


def _iterating(plain: Callable[..., Any]) -> Any:
    def iterate(self: Any) -> Any:
        fetched = getattr(self, "_apm_agent", None)
        if fetched is not None:
            fetched.iterated = True
        return plain(self)

    return like(iterate, plain)


def _finish(
    span: Span, plain: Callable[..., Any], self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    return plain(self, *args)


def _finishing(name: str, plain: Callable[..., Any]) -> Any:
    def finish(self: Any, *args: Any) -> Any:
        span = tracing.open_span("db", name, True) if self.in_transaction else None
        if span is None:
            return plain(self, *args)
        span.tags = {"system": "sqlite"}
        return within(span, _finish, plain, self, args, _NONE)

    return like(finish, plain)


PATCHES = (
    Returning("sqlite3.dbapi2:connect", connect),
    Returning("sqlite3:connect", connect),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "sqlite3",
    "the factories that `sqlite3.connect` takes; yours stay the classes below",
    "statements with the time their rows took to fetch, time to the first row and rows; `executemany` and "
    "`executescript` as one, commits and rollbacks. Iterating over a cursor is noted, not timed. Connections made "
    "before the agent started are not seen",
)
