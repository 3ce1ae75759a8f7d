"""Rows that are read after the call returned that ran their statement: to whose span their time belongs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any
from weakref import WeakKeyDictionary

from apm_agent.clock import system
from apm_agent.errors import contained
from apm_agent.instruments.rows import Wrapper
from apm_agent.model.span import Fetched, Span
from apm_agent.tracing.current import current

_keeping = contained("keeping whose rows a cursor reads")
#: Cursor → how the rows are read of what it ran last.
_of: WeakKeyDictionary[Any, Fetched] = WeakKeyDictionary()
#: The same among the attributes of a cursor.
_KEY = "_apm_agent"


class Asked(Fetched):
    """Rows, or messages, that the server is asked for after the call: the first of them takes a wait of its own."""

    __slots__ = ()

    def took(self, ns: int, rows: int) -> None:
        """One more wait is over."""
        self.ns += ns
        self.rows += rows
        if not self.first_ns:
            self.first_ns = self.ns

    def tags(self, call_ns: int) -> dict[str, Any]:
        """What is kept of it."""
        found = super().tags(call_ns)
        if not self.first_ns:  # nobody asked for one where we could see it
            found.pop("first_row_ns", None)
        return found


def fetched_of_statement(kind: type[Fetched] = Fetched) -> Fetched | None:
    """That of the statement's span around this call, whoever opened it (Django, SQLAlchemy, the driver's row)."""
    span = current.get()
    if not isinstance(span, Span) or span.kind != "db" or not span.leaf or span.end_ns:
        return None
    if span.fetched is None:
        span.fetched = kind(span.transaction.start_ns)
    return span.fetched


def began(wrapped: Callable[..., Any], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Around what a driver runs a statement by whose rows stay at the server, of any kind of function."""
    with _keeping:
        keep(cursor, fetched_of_statement(Asked))
    return wrapped(*args, **kwargs)


def keep(cursor: Any, fetched: Fetched | None) -> None:
    """Remember whose rows a cursor reads from now on."""
    if fetched is not None:
        _of[cursor] = fetched
    else:
        _of.pop(cursor, None)


def fetched_by(cursor: Any) -> Fetched | None:
    """How its rows are read, where its statement returned, in this transaction."""
    return within_now(_of.get(cursor))


def within_now(fetched: Fetched | None) -> Fetched | None:
    """The same one, unless its statement is still running (and has the time already) or was another transaction's."""
    here = current.get()
    if fetched is None or here is None:
        return None
    if isinstance(here, Span):
        if here.leaf and not here.end_ns:
            return None
        here = here.transaction
    return fetched if fetched.began == here.start_ns else None


def rows_in(found: Any) -> int:
    """How many rows a fetch gave: a list of them, one, or None."""
    return len(found) if isinstance(found, list) else int(found is not None)


def one(row: Any) -> int:
    """The same of what gives one row, whatever the user makes of it, or None."""
    return row is not None


def read(
    fetched: Fetched, count: Callable[[Any], int], run: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """``run(*args, **kwargs)``, which gives rows: its time is the statement's."""
    started = system.monotonic()
    try:
        found = run(*args, **kwargs)
    except BaseException as error:
        fetched.failed(system.monotonic() - started, error)
        raise
    fetched.took(system.monotonic() - started, count(found))
    return found


async def read_async(
    fetched: Fetched,
    count: Callable[[Any], int],
    run: Callable[..., Awaitable[Any]],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """`read` of a coroutine function."""
    started = system.monotonic()
    try:
        found = await run(*args, **kwargs)
    except BaseException as error:
        fetched.failed(system.monotonic() - started, error)
        raise
    fetched.took(system.monotonic() - started, count(found))
    return found


def read_stepwise(
    fetched: Fetched,
    count: Callable[[Any], int],
    run: Callable[..., Generator[Any, Any, Any]],
    *args: Any,
    **kwargs: Any,
) -> Generator[Any, Any, Any]:
    """`read` of a generator function, whose pauses are its waits and whose result is the rows."""
    started = system.monotonic()
    try:
        found = yield from run(*args, **kwargs)
    except BaseException as error:
        fetched.failed(system.monotonic() - started, error)
        raise
    fetched.took(system.monotonic() - started, count(found))
    return found


def reading_async(count: Callable[[Any], int]) -> Wrapper:
    """For a cursor's coroutine function that reads rows, which were announced by `began`; others are left alone."""

    async def run(
        wrapped: Callable[..., Awaitable[Any]], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        fetched = fetched_by(cursor)
        if fetched is None:
            return await wrapped(*args, **kwargs)
        return await read_async(fetched, count, wrapped, *args, **kwargs)

    return run


# Cursors written in Python, of which each row is asked for by a call: what they read lies at the cursor itself, for a
# look into a dictionary of weak references would cost as much as the row.


def began_by_row(
    wrapped: Callable[..., Any], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """`began` for them."""
    kept_by_row(cursor, True)
    return wrapped(*args, **kwargs)


def kept_by_row(cursor: Any, elsewhere: bool) -> None:
    """`keep` for them, within the statement's span; `elsewhere`: whether rows are still to come from the server."""
    with _keeping:
        vars(cursor)[_KEY] = fetched_of_statement(Asked) if elsewhere else None


def reading_row(plain: Callable[..., Any]) -> Callable[..., Any]:
    """For a method of theirs that reads one row, or None."""
    monotonic = system.monotonic

    def fetch(self: Any) -> Any:
        fetched = self.__dict__.get(_KEY)
        if fetched is None or within_now(fetched) is None:
            return plain(self)
        started = monotonic()
        try:
            row = plain(self)
        except BaseException as error:
            fetched.failed(monotonic() - started, error)
            raise
        fetched.took(monotonic() - started, row is not None)
        return row

    return fetch


def reading_rows(plain: Callable[..., Any]) -> Callable[..., Any]:
    """For one that reads many."""

    def fetch(self: Any, *args: Any, **kwargs: Any) -> Any:
        fetched = within_now(self.__dict__.get(_KEY))
        if fetched is None:
            return plain(self, *args, **kwargs)
        return read(fetched, len, plain, self, *args, **kwargs)

    return fetch


def iterating_by_row(plain: Callable[..., Any]) -> Callable[..., Any]:
    """For their `__iter__` where a row costs less than timing it: from here on it is noted, not timed."""

    def iterate(self: Any) -> Any:
        fetched = within_now(self.__dict__.get(_KEY))
        if fetched is not None:
            fetched.iterated = True
            self.__dict__[_KEY] = None
        return plain(self)

    return iterate
