"""The one context variable: the innermost open span, or the transaction itself, of the running context.

It lies on the ground because two rooms of one floor read it: tracing on the request's thread, and profiling, which
asks a task's context from the sampler's thread.
"""

from __future__ import annotations

from contextvars import ContextVar

from apm_agent.model.span import Span
from apm_agent.model.transaction import Transaction

# It is only ever `set`, never `reset(token)`: a token is bound to the context it came from, and generators,
# async generators and cancelled tasks are routinely finished from another one.
current: ContextVar[Span | Transaction | None] = ContextVar("apm_agent_current", default=None)


def transaction_of(here: Span | Transaction | None) -> Transaction | None:
    """The live transaction a span belongs to; None when it has ended (late work is not its child)."""
    if here is None:
        return None
    transaction = here if isinstance(here, Transaction) else here.transaction
    return None if transaction.ended else transaction
