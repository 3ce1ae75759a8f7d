"""Asks a running dashboard's JSON API, patiently: what was just done is written a moment later."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode


def ask(base: str, question: str, **parameters: str) -> dict[str, Any]:
    """The answer of `<base>/api/v1/<question>`."""
    parameters.setdefault("range", "15m")
    with urllib.request.urlopen(f"{base}/api/v1/{question}?{urlencode(parameters)}", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def ask_until(
    base: str,
    question: str,
    enough: Callable[[dict[str, Any]], object],
    patience: float = 15.0,
    **parameters: str,
) -> dict[str, Any]:
    """Asks until the answer is `enough`; the last answer when it never was, for the assertion to show."""
    deadline = time.monotonic() + patience
    while True:
        found = ask(base, question, **parameters)
        if enough(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)
