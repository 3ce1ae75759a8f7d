"""logging: records carry the transaction's id as `transaction_id`, and a transaction its last lines.

Not by a record factory: there is one, it is the application's, and whoever sets one later takes it over. `handle` is
where every record of every logger comes through, whatever made it, before filters and handlers see it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.tracing.lines import identity_text, keep, logging_transaction

_noting = contained("reading a log record")
_BY = "logging"
_OURS = "apm_agent"


def _handle(wrapped: Callable[..., Any], logger: Any, args: Any, kwargs: Any) -> Any:
    record = args[0] if args else kwargs.get("record")
    # Outside of a transaction it is there too: a format that names it must not fail.
    transaction = logging_transaction()
    with _noting:
        if transaction is None:
            if not hasattr(record, "transaction_id"):
                record.transaction_id = ""
        else:
            record.transaction_id = identity_text(transaction)
            if record.name != _OURS:
                keep(transaction, record.levelname, record.name, _text(record), _BY)
    return wrapped(*args, **kwargs)


def _text(record: Any) -> str:
    if not record.args:
        return str(record.msg)
    try:
        return str(record.getMessage())
    except (TypeError, ValueError, KeyError):  # arguments that do not fit; logging itself will say so
        return str(record.msg)


PATCHES = (Returning("logging:Logger.handle", _handle),)

#: For docs/supported.md.
SUPPORT = Support(
    "Logs and traces",
    "logging",
    "patch of `Logger.handle`; your record factory and filters stay yours",
    "`transaction_id` on each record (empty outside a transaction); the last 50 lines of a failed "
    "transaction, scrubbed",
)
