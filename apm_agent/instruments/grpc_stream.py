"""What is kept of a stream of grpc's answers: how long was waited for them, how many came, how it ended."""

from __future__ import annotations

from typing import Any

from apm_agent.clock import system
from apm_agent.errors import contained
from apm_agent.model.span import Fetched

reading = contained("reading how a call of grpc ended")


class Streamed(Fetched):
    """The answers of one call; the call that streams and its span hold the same one."""

    __slots__ = ("code",)

    def __init__(self) -> None:
        super().__init__()
        self.code: str | None = None

    def came(self, started_ns: int, is_message: bool) -> None:
        """One wait for a message is over."""
        self.ns += system.monotonic() - started_ns
        if is_message:
            self.rows += 1
            if self.rows == 1:
                self.first_ns = self.ns

    def failed(self, started_ns: int, error: BaseException) -> None:
        """One wait for a message ended otherwise."""
        self.ns += system.monotonic() - started_ns
        self.error = type(error).__name__

    def tags(self, call_ns: int) -> dict[str, Any]:
        """What is kept of it."""
        found: dict[str, Any] = {"messages": self.rows}
        if self.rows:
            found["first_message_ns"] = call_ns + self.first_ns
        if self.code is not None:
            found["code"] = self.code
        if self.error is not None:
            found["error"] = self.error
        return found
