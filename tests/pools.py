"""Gives a connection back as soon as somebody is seen to wait for it, so that a test need not guess how long."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from apm_agent.tracing import tracer as tracing


class Holder:
    """Started before the transaction; `watch` its spans inside, and the first one to open sets off the release."""

    def __init__(self, release: Callable[[], Any]) -> None:
        self._release = release
        self._spans: list[Any] = []
        self._watching = threading.Event()
        self.released_ns = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def watch(self, spans: list[Any]) -> None:
        """These."""
        self._spans = spans
        self._watching.set()

    def _run(self) -> None:
        self._watching.wait(10)
        while not self._spans:
            time.sleep(0)
        self.released_ns = _now()
        self._release()

    def done(self) -> int:
        """When it was released."""
        self._thread.join()
        return self.released_ns


class AsyncHolder:
    """The same as a task on the loop."""

    def __init__(self, release: Callable[[], Awaitable[Any] | None]) -> None:
        self._release = release
        self._spans: list[Any] = []
        self._task = asyncio.ensure_future(self._run())

    def watch(self, spans: list[Any]) -> None:
        """These."""
        self._spans = spans

    async def _run(self) -> int:
        while not self._spans:
            await asyncio.sleep(0)
        released_ns = _now()
        given = self._release()
        if given is not None:
            await given
        return released_ns

    async def done(self) -> int:
        """When it was released."""
        return await self._task


def _now() -> int:
    assert tracing.tracer is not None
    return tracing.tracer.monotonic()
