"""Work of known kinds for profilers to see, and how long to wait for what they do about it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable


def in_python(seconds: float) -> None:
    until = time.thread_time() + seconds
    total = 0
    while time.thread_time() < until:
        for i in range(200):
            total += i * i


def in_json(seconds: float) -> None:
    until = time.thread_time() + seconds
    document = {"rows": [{"id": i, "name": "x" * 20} for i in range(60)]}
    while time.thread_time() < until:
        json.loads(json.dumps(document))


def without_the_gil(seconds: float) -> None:
    until = time.thread_time() + seconds
    block = bytes(4_000_000)
    while time.thread_time() < until:
        hashlib.sha256(block)


def in_sleep(seconds: float) -> None:
    time.sleep(seconds)


def wait_for(what: Callable[[], bool], seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)
