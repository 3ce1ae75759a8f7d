"""What every answer says beside its own: its window, and how fresh the store is."""

from __future__ import annotations

import time
from typing import Any

from apm_agent.queries.connection import Connection
from apm_agent.queries.health import written_at
from apm_agent.queries.window import Window

#: A store not written for so long is shown as stale.
_STALE = 120.0


def with_common(answer: dict[str, Any], connection: Connection, window: Window | None) -> dict[str, Any]:
    """The answer with what every one says."""
    written = written_at(connection)
    fresh: dict[str, Any] = {
        "written_at": written,
        "stale": written is not None and time.time() - written > _STALE,
        "partial": connection.left_out(window.start if window else time.time()) or None,
    }
    named = {"from": float(window.start), "to": float(window.end), "range": window.range} if window else None
    return {"window": named, **answer, "store": {**answer.get("store", {}), **fresh}}
