"""Follows a streaming response to its last byte, for which Django has only `close()`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.http import FileResponse

from apm_agent.integrations.facts import is_failure
from apm_agent.model.transaction import Transaction
from apm_agent.tracing.current import current
from apm_agent.tracing.tracer import Tracer


def follow(active: Tracer, transaction: Transaction, response: Any) -> bool:
    """Arrange for the transaction to end with the response; False when it cannot be followed.

    A file keeps its very iterator, because servers send files without reading them; it ends as it is closed.
    Other content is wrapped as Django's own GZip middleware does it, in one of the same nature.
    """
    if str(response.get("Content-Type", "")).startswith("text/event-stream"):
        transaction.kind = "stream"
    end = _End(active, transaction)
    if isinstance(response, FileResponse):
        closers = getattr(response, "_resource_closers", None)
        if closers is None:
            return False
        closers.append(end.close)
    elif response.is_async:
        response.streaming_content = _AsyncSteps(end, response.streaming_content)
    else:
        response.streaming_content = _Steps(end, response.streaming_content)
    current.set(None)
    return True


class _End:
    """Ends a transaction once, at the latest when nobody can send the response any more."""

    __slots__ = ("active", "transaction")

    def __init__(self, active: Tracer, transaction: Transaction) -> None:
        self.active = active
        self.transaction = transaction

    def close(self, error: BaseException | None = None) -> None:
        self.active.end(self.transaction, error if error is not None and is_failure(error) else None)

    def __del__(self) -> None:
        self.close()


class _Steps:
    """Content that is current only while the application makes a part of it."""

    __slots__ = ("content", "end", "here")

    def __init__(self, end: _End, content: Iterator[bytes]) -> None:
        self.end = end
        self.content = content
        self.here: Any = current.get()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        current.set(self.here)
        try:
            return next(self.content)
        except StopIteration:
            self.end.close()
            raise
        except BaseException as error:
            self.end.close(error)
            raise
        finally:
            self.here = None if self.end.transaction.ended else current.get()
            current.set(None)

    def close(self) -> None:
        """Django closes what it streams, after the last byte or when the client left."""
        self.end.close()
        # It came from the response, which holds us: let go, or both wait for the garbage collector.
        self.content = iter(())


class _AsyncSteps:
    """The same for content made by an async generator; the task that sends it is the one that closes it."""

    __slots__ = ("content", "end", "here")

    def __init__(self, end: _End, content: AsyncIterator[bytes]) -> None:
        self.end = end
        self.content: AsyncIterator[bytes] | None = content
        self.here: Any = current.get()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.content is None:
            raise StopAsyncIteration
        current.set(self.here)
        try:
            return await self.content.__anext__()
        except StopAsyncIteration:
            self.end.close()
            raise
        except BaseException as error:
            self.end.close(error)
            raise
        finally:
            self.here = None if self.end.transaction.ended else current.get()
            current.set(None)

    def close(self) -> None:
        """Close as `_Steps` does."""
        self.end.close()
        self.content = None
