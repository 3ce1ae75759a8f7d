"""Quart: the rule of a request and the exception it turns into a 500, by its own signals."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from apm_agent.instruments.rows import Attached
from apm_agent.instruments.support import Support
from apm_agent.integrations.routed import name_current
from apm_agent.tracing.tracer import capture_exception

# Coroutines, because Quart runs any other receiver in a thread.


async def _started(app: Any, **_: Any) -> None:
    _name(app, sys.modules["quart"].request.url_rule)


async def _socket_started(app: Any, **_: Any) -> None:
    _name(app, sys.modules["quart"].websocket.url_rule)


def _name(app: Any, rule: Any) -> None:
    if rule is not None:
        name_current(rule.rule, app.view_functions.get(rule.endpoint))


async def _failed(app: Any, exception: BaseException, **_: Any) -> None:
    capture_exception(exception)


#: Quart's signal → who is told.
_RECEIVERS: dict[str, Callable[..., Any]] = {
    "request_started": _started,
    "websocket_started": _socket_started,
    "got_request_exception": _failed,
    "got_websocket_exception": _failed,
}


def _attach(signals: Any) -> Callable[[], None]:
    for name, receiver in _RECEIVERS.items():
        getattr(signals, name).connect(receiver, weak=False)

    def detach() -> None:
        for name, receiver in _RECEIVERS.items():
            getattr(signals, name).disconnect(receiver)

    return detach


PATCHES = (Attached("quart.signals", _attach),)

#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "Quart",
    "ASGI; its signals",
    "requests and websockets by method and rule, the exception behind a 500",
    ("quart",),
)
