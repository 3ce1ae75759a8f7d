"""loguru: records carry the transaction's id in `extra`, and a transaction its last lines, by its own patcher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Attached, Returning
from apm_agent.instruments.support import Support
from apm_agent.tracing.lines import identity_text, keep, logging_transaction

_noting = contained("reading a log record")


class _Patcher:
    """Calls the application's own patcher, if it has one, and then looks at the record."""

    __slots__ = ("on", "own")

    def __init__(self, own: Callable[[Any], Any] | None) -> None:
        self.own = own
        self.on = True

    def __call__(self, record: Any) -> None:
        if self.own is not None:
            self.own(record)
        transaction = logging_transaction() if self.on else None
        if transaction is None:
            return
        with _noting:
            record["extra"].setdefault("transaction_id", identity_text(transaction))
            keep(transaction, record["level"].name, str(record["name"]), str(record["message"]), "loguru")


def _attach(module: Any) -> Callable[[], None]:
    core = module.logger._core
    core.patcher = ours = _Patcher(core.patcher)

    def detach() -> None:
        ours.on = False
        patcher = core.patcher
        if isinstance(patcher, _Patcher):
            patcher.on = False
            core.patcher = patcher.own

    return detach


def _configured(wrapped: Callable[..., Any], logger: Any, args: Any, kwargs: Any) -> Any:
    result = wrapped(*args, **kwargs)
    # There is room for one patcher; the application's has just taken ours over.
    with _noting:
        core = logger._core
        if not isinstance(core.patcher, _Patcher):
            core.patcher = _Patcher(core.patcher)
    return result


PATCHES = (
    Returning("loguru._logger:Logger.configure", _configured),
    Attached("loguru", _attach),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Logs and traces",
    "loguru",
    "its patcher, beside yours",
    '`extra["transaction_id"]`; the last lines of a failed transaction, scrubbed',
    ("loguru",),
)
