"""What the headers of a request say: how long it queued, whether a developer asked for a deep look."""

from __future__ import annotations

import hmac
import re
from typing import Any

from apm_agent.clock import system

_START = re.compile(r"(?:t=)?([0-9]{10,19})(?:\.([0-9]{1,9}))?", re.ASCII)
#: Units by magnitude: the first power of ten that makes the number a wall time of this century, in ns.
_UNITS = ((10**18, 1), (10**15, 10**3), (10**12, 10**6), (10**9, 10**9))
#: Nobody's proxy holds a request for longer: such a header is a mistake.
_LONGEST_QUEUE = 3600 * 10**9

#: What an exception's class is called when the client or the server gave up, which is nobody's failure.
_GONE = frozenset(
    {
        "CancelledError", "Cancelled", "GeneratorExit", "GreenletExit", "ClientDisconnect",
        "ClientDisconnected", "WebSocketDisconnect",
    }
)  # fmt: skip


def queue_ns(*headers: str | None, wall: int | None = None) -> int | None:
    """Time since the proxy took the request, from the first header that can be read; None when none can.

    Headers are ``X-Request-Start`` and ``X-Queue-Start``: seconds, milli-, micro-, nanoseconds by magnitude,
    with or without ``t=``. What is garbage, in the future or hours old is not known.
    """
    for header in headers:
        match = _START.fullmatch(header.strip()) if isinstance(header, str) and len(header) < 60 else None
        if match is None:
            continue
        number, fraction = int(match[1]), match[2] or ""
        unit = next((unit for least, unit in _UNITS if number >= least), 0)
        started = number * unit + int(fraction.ljust(9, "0") or "0") * unit // 10**9
        waited = (system.wall() if wall is None else wall) - started
        if 0 <= waited <= _LONGEST_QUEUE:
            return waited
    return None


def wishes(secret: str, sent: object) -> dict[Any, Any] | None:
    """Notes for the profilers when the request carries the secret that asks for cProfile."""
    if not secret or not sent:
        return None
    given = sent.encode("utf-8", "replace") if isinstance(sent, str) else sent
    if not isinstance(given, bytes):
        return None
    return {"cprofile": True} if hmac.compare_digest(given, secret.encode("utf-8", "replace")) else None


def is_failure(error: BaseException) -> bool:
    """Whether an exception is the application's own, and not a client or a server that gave up."""
    return type(error).__name__ not in _GONE
