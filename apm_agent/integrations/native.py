"""A transaction around a request of a server that speaks neither WSGI nor ASGI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent import agent
from apm_agent.errors import contained
from apm_agent.integrations.facts import is_failure, queue_ns, wishes
from apm_agent.integrations.naming import UNNAMED, method_of, path_of, settle
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current_transaction
from apm_agent.tracing.propagation import accept
from apm_agent.tracing.tracer import Tracer

_beginning = contained("beginning a request")
_finishing = contained("finishing a request")


class Served:
    """One request on its way; nothing of it is kept once it has ended."""

    __slots__ = ("active", "transaction")

    def __init__(self, active: Tracer, transaction: Transaction) -> None:
        self.active = active
        self.transaction = transaction

    def arrive(self, status: int | None) -> None:
        """The first byte of the answer is on its way."""
        arrive(self.transaction, status, self.active)

    def end(self, error: BaseException | None = None, status: int | None = None) -> None:
        """End the transaction, once; `status` counts where none was seen on its way."""
        transaction = self.transaction
        if transaction.ended:
            return
        with _finishing:
            if transaction.status is None:
                transaction.status = status
            if error is not None:
                if not is_failure(error):
                    error = None
                elif transaction.status is None:
                    transaction.status = 500  # what servers answer when an application gave none
            settle(transaction)
        self.active.end(transaction, error)


def begin(kind: str, method: str, path: str, header: Callable[[str], Any]) -> Served | None:
    """Begin a transaction; None when the agent is off, or a middleware further out times this request."""
    active = tracing.tracer
    if active is None or current_transaction() is not None:
        return None
    with _beginning:
        config = agent.config()
        secret = config.cprofile_header if config is not None else ""
        notes = wishes(secret, header("X-Apm-Profile")) if secret else None
        word = "WS" if kind == "websocket" else method_of(method)
        transaction = active.begin(kind, UNNAMED, notes, word, path_of(path))
        served = Served(active, transaction)
        transaction.queue_ns = queue_ns(header("X-Request-Start"), header("X-Queue-Start"))
        accept(transaction, header("traceparent"))
        return served
    return None


def arrive(transaction: Transaction, status: int | None, active: Tracer | None = None) -> None:
    """Note status and time of the first byte of the answer, once."""
    active = active or tracing.tracer
    if active is None or transaction.ended or transaction.first_byte_ns is not None:
        return
    transaction.status = status
    transaction.first_byte_ns = active.monotonic() - transaction.start_ns


def is_events(content_type: object) -> bool:
    """Whether an answer is server-sent events: a long connection, not a slow request."""
    return isinstance(content_type, str) and content_type.startswith("text/event-stream")
