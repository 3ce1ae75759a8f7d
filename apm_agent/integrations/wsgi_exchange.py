"""One WSGI request on its way: what the application says when it starts its response and gives its body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import WeakMethod

from apm_agent.errors import contained
from apm_agent.integrations.facts import is_failure
from apm_agent.integrations.naming import settle
from apm_agent.integrations.places import name_wsgi
from apm_agent.model.transaction import ROUTE, Transaction
from apm_agent.tracing.current import current
from apm_agent.tracing.failure import describe
from apm_agent.tracing.tracer import Tracer

_finishing = contained("finishing a request")
_failing = contained("describing an exception")


class Exchange:
    """All that is known of the answer of one request; `start` is its `start_response`."""

    __slots__ = (
        "active", "environ", "framework", "headers", "script_name", "start_response", "transaction",
    )  # fmt: skip

    def __init__(
        self,
        active: Tracer,
        transaction: Transaction,
        environ: dict[str, Any],
        start_response: Callable[..., Any],
        framework: Any,
    ) -> None:
        self.active = active
        self.transaction = transaction
        self.environ = environ
        self.start_response = start_response
        self.framework = framework
        self.script_name = environ.get("SCRIPT_NAME", "")
        self.headers: Any = ()

    def start(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        """Note how the response starts, and hand it on as it came; a method, because a call of an object is slower."""
        transaction = self.transaction
        if not transaction.ended:
            try:  # `number_of`, without a call
                transaction.status = int(status[:3])
            except (KeyError, TypeError, ValueError):
                transaction.status = None
            self.headers = headers
            name_wsgi(self)
        if exc_info is None:
            return self.start_response(status, headers)
        note_failure(transaction, exc_info[1])
        return self.start_response(status, headers, exc_info)

    def carry(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """What the server iterates instead of `body`; a file is the very same object."""
        wrapper = self.environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            return self._carry_file(body)
        # The thread is free between the steps of the body: whatever it does then is no part of this request.
        kind = type(body)
        carrier = _carriers.get(kind)
        if carrier is None:
            if len(_carriers) >= _MOST_KINDS:
                _carriers.clear()
            carrier = _carriers[kind] = _SizedBody if hasattr(kind, "__len__") else _Body
        carried = carrier(self, body)
        current.set(None)
        return carried

    def _carry_file(self, body: Any) -> Iterable[bytes]:
        current.set(None)
        self.arrive()
        try:
            body.close = _FileEnd(self, body)
        except (AttributeError, TypeError):  # made in C: it ends here, before the file is sent
            self.end()
        return body  # type: ignore[no-any-return]

    def arrive(self) -> int:
        """The first byte is on its way; the length the application promised, 0 when it gave none that can be read."""
        transaction = self.transaction
        if transaction.first_byte_ns is None and not transaction.ended:
            transaction.first_byte_ns = self.active.monotonic() - transaction.start_ns
        try:
            for name, value in self.headers:
                # As nearly everybody spells it, and then as anybody may.
                if name == "Content-Length" or name.lower() == "content-length":
                    return int(value)
            return 0
        except (AttributeError, TypeError, ValueError):
            return 0

    def end(self, error: BaseException | None = None) -> None:
        """End the transaction, once."""
        transaction = self.transaction
        if transaction.ended:
            return
        if error is not None:
            if not is_failure(error):
                error = None
            elif transaction.status is None:
                transaction.status = 500  # what servers answer when an application gave none
        if transaction.name_priority != ROUTE:
            settle(transaction)
        self.active.end(
            transaction, error, transaction.first_byte_ns is None and transaction.status is not None
        )

    def look_for_events(self) -> None:
        """Server-sent events are a long connection, not a slow request."""
        if self.transaction.ended:
            return
        with _finishing:
            for name, value in self.headers:
                if name.lower() == "content-type" and value.startswith("text/event-stream"):
                    self.transaction.kind = "stream"


class _Body:
    """What the server iterates and closes: passes every step through, and is current only while one runs.

    It ends with the last byte: all that Content-Length promised is handed over, or nothing more comes, or the
    server closes it earlier. So what a client sees is recorded, and what runs on `close` is no part of it.
    A span the application leaves open over a `yield` is kept here between the steps, which may come from
    different threads.
    """

    __slots__ = ("body", "chunks", "exchange", "here", "left", "over", "step")

    def __init__(self, exchange: Exchange, body: Iterable[bytes]) -> None:
        self.exchange = exchange
        self.body = body
        self.here: Any = current.get()
        self.step: Callable[[], bytes] | None = None
        self.chunks = 0
        #: bytes that are still to come, where the response said how many there are; 0 where it did not
        self.left = 0
        self.over = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        step = self.step
        if self.over:
            return step()  # type: ignore[misc]
        current.set(self.here)
        try:
            if step is None:
                step = self.step = iter(self.body).__next__
            chunk = step()
        except BaseException as error:
            self._stop(error)
            raise
        self.here = current.get()
        current.set(None)
        if self.chunks < 2:
            self.chunks += 1
            if self.chunks == 1:
                self.left = self.exchange.arrive()
            else:
                self.exchange.look_for_events()
        if self.left and isinstance(chunk, bytes):
            self.left -= len(chunk)
            if self.left <= 0:
                self.over, self.here = True, None  # `_end`, without a call
                self.exchange.end()
        return chunk

    def _stop(self, error: BaseException) -> None:
        if isinstance(error, StopIteration):
            self._end()
        else:
            self.exchange.end(error)
            self.here = current.get()
        current.set(None)

    def close(self) -> None:
        """Close the application's body as often as the server asks, and end the transaction, once."""
        inner = getattr(self.body, "close", None)
        if self.over:
            if inner is not None:
                inner()
            return
        if self.chunks == 1:
            self.exchange.look_for_events()
        current.set(self.here)
        try:
            if inner is not None:
                inner()
        except BaseException as error:
            self.exchange.end(error)
            raise
        finally:
            self._end()
            current.set(None)

    def __del__(self) -> None:
        # A server that never closes: the transaction ends when the body is let go of.
        if not self.over:
            self.exchange.end()

    def _end(self) -> None:
        self.over = True
        self.here = None
        self.exchange.end()


class _SizedBody(_Body):
    """A body with a length, which servers may ask for."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self.body)  # type: ignore[arg-type]


#: class of an application's body → what carries it; to ask a class for a method it has not is slow before 3.12
_carriers: dict[type, type[_Body]] = {}
_MOST_KINDS = 100


class _FileEnd:
    """`close` of a file body: closes the file, ends the transaction; holds nothing that holds the body."""

    __slots__ = ("close", "exchange")

    def __init__(self, exchange: Exchange, body: Any) -> None:
        self.exchange = exchange
        close = getattr(body, "close", None)
        own = "close" in getattr(body, "__dict__", ())
        self.close: Any = close if own or close is None else WeakMethod(close)

    def __call__(self) -> None:
        close = self.close() if isinstance(self.close, WeakMethod) else self.close
        try:
            if close is not None:
                close()
        finally:
            self.exchange.end()

    def __del__(self) -> None:
        self.exchange.end()


def number_of(status: str) -> int | None:
    """The number a status line begins with."""
    try:
        return int(status[:3])
    except (KeyError, TypeError, ValueError):
        return None


def note_failure(transaction: Transaction, error: BaseException | None) -> None:
    """Keep what an exception says, if it is the first."""
    if error is not None and transaction.failure is None and not transaction.ended:
        with _failing:
            transaction.failure = describe(error)
