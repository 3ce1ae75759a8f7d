"""Worker threads: what a transaction submits runs for that transaction, in whichever thread takes it.

`ThreadPoolExecutor.submit` is also the way of `asyncio.to_thread`, `loop.run_in_executor` and asgiref;
`anyio.to_thread.run_sync` that of Starlette's and FastAPI's ``def`` endpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.instruments.handing import hand
from apm_agent.instruments.rows import Passing, Returning
from apm_agent.instruments.support import Support
from apm_agent.model.span import Place, Span
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.tracing.caller import handed, place_of_caller
from apm_agent.tracing.current import current, transaction_of


def lend(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it was outside a transaction; inside one, one that puts its thread at work for it."""
    here = current.get()
    return (
        function if here is None or transaction_of(here) is None else _Lent(function, here, place_of_caller())
    )


class _Lent:
    """A function on its way to another thread, with what was current where it came from and the line."""

    __slots__ = ("function", "here", "place")

    def __init__(self, function: Callable[..., Any], here: Span | Transaction, place: Place | None) -> None:
        self.function = function
        self.here = here
        self.place = place

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        here = self.here
        transaction = transaction_of(here)
        if transaction is None:  # it ended before a thread was free
            return self.function(*args, **kwargs)
        outside, handed_outside = current.get(), handed.get()
        current.set(here)
        handed.set(self.place)
        before = attribution.lend(transaction)
        try:
            return self.function(*args, **kwargs)
        finally:
            attribution.give_back(before)
            current.set(outside)
            handed.set(handed_outside)


PATCHES = (
    Passing("concurrent.futures.thread:ThreadPoolExecutor.submit", 0, lend),
    Passing("anyio.to_thread:run_sync", 0, lend),
    # It copies the context for the thread before it submits, so the line must be in it by then.
    Returning("asyncio.threads:to_thread", hand),
    Returning("asyncio:to_thread", hand),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Python's own",
    "concurrent.futures, asyncio.to_thread, anyio.to_thread",
    "patch of `ThreadPoolExecutor.submit` and of both `to_thread`",
    "nothing of their own: what a transaction submits runs for that transaction, in whichever thread "
    "takes it",
    ("anyio",),
)
