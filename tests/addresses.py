"""Where each page is opened in the made-up day: a row a page, which the tests of mounts and themes go through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from api import ask

SLOW = "GET /orders"

#: Asks a question of the API: name and parameters.
Ask = Callable[..., dict[str, Any]]

ADDRESSES: dict[str, Callable[[Ask], str]] = {
    "overview": lambda asked: "overview?range=24h",
    "endpoints": lambda asked: "endpoints?range=24h",
    "endpoint": lambda asked: f"endpoint?name={quote(SLOW)}&range=24h",
    "jobs": lambda asked: "jobs?range=24h",
    "errors": lambda asked: "errors?range=24h",
    "error": lambda asked: (
        f"error?range=24h&type=ValueError&frame={asked('errors', q='ValueError')['errors'][0]['frame']}"
    ),
    # axe needs its time for each row, and all are alike
    "traces": lambda asked: "traces?range=24h&rows=25",
    "trace": lambda asked: f"trace?id={asked('traces', name=SLOW, kept='1')['traces'][0]['id']}",
    "queries": lambda asked: "queries?range=24h",
    "query": lambda asked: f"query?id={asked('queries')['queries'][0]['id']}&range=24h",
    "compare": lambda asked: f"compare?name={quote(SLOW)}&range=6h",
    "memory": lambda asked: "memory?range=24h",
    "live": lambda asked: "live",
    "health": lambda asked: "health",
}


def addresses(mount: str) -> dict[str, str]:
    """Page → its address relative to a mount, as the dashboard there knows the day."""

    def asked(question: str, **parameters: str) -> dict[str, Any]:
        return ask(mount.rstrip("/"), question, range="24h", **parameters)

    return {page: address(asked) for page, address in ADDRESSES.items()}
