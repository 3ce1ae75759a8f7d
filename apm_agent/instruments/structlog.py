"""structlog: events carry the transaction's id as `transaction_id`, and a transaction its last events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.tracing.lines import identity_text, keep, logging_transaction

_noting = contained("reading a log event")


def _process(wrapped: Callable[..., Any], bound: Any, args: Any, kwargs: Any) -> Any:
    transaction = logging_transaction()
    if transaction is None or len(args) != 3:
        return wrapped(*args, **kwargs)
    method, event, given = args
    with _noting:
        given = {"transaction_id": identity_text(transaction), **given}
        # One that hands its events to `logging` is heard there. Only the event is kept: what is bound to it are
        # values, and often personal ones.
        if not hasattr(bound._logger, "makeRecord"):
            keep(transaction, str(method), type(bound._logger).__name__, str(event), "structlog")
    return wrapped(method, event, given)


PATCHES = (Returning("structlog._base:BoundLoggerBase._process_event", _process),)

#: For docs/supported.md.
SUPPORT = Support(
    "Logs and traces",
    "structlog",
    "patch of `BoundLoggerBase._process_event`",
    "`transaction_id` in each event inside a transaction; the last events of a failed one, without their "
    "values",
    ("structlog",),
)
