"""Names the current transaction by the route its framework has just chosen; for frameworks that leave it nowhere."""

from __future__ import annotations

from typing import Any

from apm_agent.errors import contained
from apm_agent.integrations.naming import of_route, view_of
from apm_agent.model.transaction import ROUTE
from apm_agent.tracing.current import current_transaction
from apm_agent.tracing.tracer import capture_exception

_naming = contained("naming a transaction")

#: (id of the handler, template, method) → name, view, and the handler itself, so that its id stays its own.
_known: dict[tuple[int, str, str | None], tuple[str, str | None, Any]] = {}
_MOST = 4096


def name_current(template: str | None, handler: Any) -> None:
    """Take the route's template; without one nothing is said, and the transaction is named by its answer."""
    transaction = current_transaction()
    if transaction is None or not template or transaction.name_priority > ROUTE:
        return
    with _naming:
        key = (id(handler), template, transaction.method)
        known = _known.get(key)
        if known is None:
            if len(_known) >= _MOST:
                _known.clear()
            view = view_of(handler) if handler is not None else None
            known = _known[key] = (of_route(transaction.method or "OTHER", template), view, handler)
        transaction.name, transaction.view, _ = known
        transaction.name_priority = ROUTE


def note_answered(error: BaseException, status: object) -> None:
    """Note an exception the framework made an answer of, if the answer says that something failed."""
    if not isinstance(status, int) or status >= 500:
        capture_exception(error)
