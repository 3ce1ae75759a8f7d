"""Worker threads: a function submitted by a transaction runs for that transaction, in whichever thread takes it.

`ThreadPoolExecutor.submit` is also the way of `asyncio.to_thread`, `loop.run_in_executor` and asgiref;
`anyio.to_thread.run_sync` that of Starlette's and FastAPI's ``def`` endpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.instruments.rows import Passing
from apm_agent.model.span import Span
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.tracing.current import current, transaction_of


def lend(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it was outside a transaction; inside one, one that puts its thread at work for it."""
    here = current.get()
    return function if here is None or transaction_of(here) is None else _Lent(function, here)


class _Lent:
    """A function on its way to another thread, with what was current where it came from."""

    __slots__ = ("function", "here")

    def __init__(self, function: Callable[..., Any], here: Span | Transaction) -> None:
        self.function = function
        self.here = here

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        here = self.here
        transaction = transaction_of(here)
        if transaction is None:  # it ended before a thread was free
            return self.function(*args, **kwargs)
        outside = current.get()
        current.set(here)
        before = attribution.lend(transaction)
        try:
            return self.function(*args, **kwargs)
        finally:
            attribution.give_back(before)
            current.set(outside)


PATCHES = (
    Passing("concurrent.futures.thread:ThreadPoolExecutor.submit", 0, lend),
    Passing("anyio.to_thread:run_sync", 0, lend),
)
