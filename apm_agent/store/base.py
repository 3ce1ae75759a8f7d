"""What a store is to the writer: three methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from apm_agent.model.record import Record


def never() -> bool:
    """Nobody waits."""
    return False


class Store(Protocol):
    """Keeps records. Raises `StoreError` for what may pass (locked, full, unwritable): the writer keeps the
    batch and tries again. Any other exception means that these records cannot be kept by anyone.
    """

    def write(
        self, records: Sequence[Record], state: dict[str, Any] | None = None, timeout: float | None = None
    ) -> None:
        """Keep a batch, all of it or none; `state` is what the Health page shows of this process.

        `timeout` is how long to wait for other writers, in seconds.
        """
        ...

    def prune(self, hurried: Callable[[], bool] = never) -> bool:
        """Delete what is too old or too much, a slice at a time; True while there is more to do.

        A slice ends early once `hurried` says so: somebody waits to write.
        """
        ...

    def close(self) -> None:
        """Let go of the file or the connection; the next write takes it up again."""
        ...
