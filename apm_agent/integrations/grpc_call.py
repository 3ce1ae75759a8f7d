"""One call of a grpc server on its way: how it ended, in grpc's words and in HTTP's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apm_agent.errors import contained
from apm_agent.integrations.native import Served
from apm_agent.tracing import failure as failures
from apm_agent.tracing.current import current

_ending = contained("reading how a call of grpc ended")

#: Number → the name of it, and the status of HTTP that means the same:
#: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
_CODES = {
    0: ("OK", 200), 1: ("CANCELLED", 499), 2: ("UNKNOWN", 500), 3: ("INVALID_ARGUMENT", 400),
    4: ("DEADLINE_EXCEEDED", 504), 5: ("NOT_FOUND", 404), 6: ("ALREADY_EXISTS", 409), 7: ("PERMISSION_DENIED", 403),
    8: ("RESOURCE_EXHAUSTED", 429), 9: ("FAILED_PRECONDITION", 400), 10: ("ABORTED", 409), 11: ("OUT_OF_RANGE", 400),
    12: ("UNIMPLEMENTED", 501), 13: ("INTERNAL", 500), 14: ("UNAVAILABLE", 503), 15: ("DATA_LOSS", 500),
    16: ("UNAUTHENTICATED", 401),
}  # fmt: skip
_OK, _CANCELLED, _UNKNOWN = 0, 1, 2


class Call:
    """A call's transaction, and the context that knows how it ends."""

    __slots__ = ("context", "messages", "served")

    def __init__(self, served: Served, context: Any) -> None:
        self.served = served
        self.context = context
        self.messages: int | None = None

    def sends(self) -> None:
        """One more answer of a stream goes to grpc."""
        if self.messages is None:
            self.served.arrive(None)
        self.messages = (self.messages or 0) + 1

    def end(self, error: BaseException | None = None) -> None:
        """It is over; `error` is what the application raised, or what ended it."""
        served, transaction = self.served, self.served.transaction
        if transaction.ended:
            return
        status: int | None = None
        with _ending:
            number = self._number(error)
            name, status = _CODES.get(number, (str(number), 500))
            if error is not None and self._aborted(error):
                if status >= 500:
                    details = self.context.details()
                    said = (
                        details.decode("utf-8", "replace")
                        if isinstance(details, bytes)
                        else str(details or "")
                    )
                    failure = failures.describe(error)
                    transaction.failure = failure._replace(type=f"grpc.StatusCode.{name}", message=said)
                error = None
            elif number == _CANCELLED:
                error = None
            transaction.context = {
                **(transaction.context or {}),
                **({"grpc": name} if number else {}),
                **({"messages": self.messages} if self.messages is not None else {}),
            } or None
            served.arrive(status)
        served.end(error, status)

    def _number(self, error: BaseException | None) -> int:
        if error is not None and _is_gone(error):
            return _CANCELLED
        # Older versions give the context of a synchronous method under an asyncio server none.
        asked = getattr(self.context, "code", None)
        code = asked() if asked is not None else None
        if code is None or code == _OK:
            return _OK if error is None else _UNKNOWN
        return int(code if isinstance(code, int) else code.value[0])

    def _aborted(self, error: BaseException) -> bool:
        """Whether `context.abort` raised it; a server that is not asyncio's notes that beside."""
        state = getattr(self.context, "_state", None)
        return bool(getattr(state, "aborted", False)) or type(error).__name__ == "AbortError"


def _is_gone(error: BaseException) -> bool:
    """Whether the client is, or the server: a stream of its messages then raises an RpcError that says nothing."""
    return type(error).__name__ in ("CancelledError", "GeneratorExit") or (
        type(error).__name__ == "RpcError" and not hasattr(error, "code")
    )


class Answers:
    """What grpc iterates in place of a stream's answers: passes each on, and is current only while it is made.

    Its steps may come from different threads. It ends with the last answer, or when grpc lets go of it, which it does
    when the client is gone.
    """

    __slots__ = ("answers", "call", "here")

    def __init__(self, call: Call, answers: Iterator[Any]) -> None:
        self.call = call
        self.answers = answers
        self.here: Any = current.get()
        current.set(None)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        current.set(self.here)
        try:
            message = next(self.answers)
            self.call.sends()
            self.here = current.get()
            return message
        except BaseException as error:
            self.here = None
            self.call.end(None if isinstance(error, StopIteration) else error)
            raise
        finally:
            current.set(None)

    def __del__(self) -> None:
        self.call.end(GeneratorExit())
