"""grpc's servers, synchronous and asyncio: a transaction a call, named by its method.

By the interceptor that `grpc.server` and `grpc.aio.server` take, put before those of the application. A server made
before the agent started has none.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import wraps
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations import native
from apm_agent.integrations.grpc_call import Answers, Call
from apm_agent.integrations.naming import of_route, of_unmatched, view_of
from apm_agent.model.transaction import ROUTE
from apm_agent.tracing import tracer as tracing

_INTERCEPTORS = 2  # server(thread_pool, handlers, interceptors, …)
_METHOD = "GRPC"
_NO_SUCH_METHOD = 404
_preparing = contained("preparing a server of grpc")
_wrapping = contained("wrapping a method of grpc")
_naming = contained("naming a call of grpc")

Behavior = Callable[..., Any]


def server(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``grpc.server(…)`` with an interceptor of ours as the first."""
    return _made(wrapped, _interceptor(), args, kwargs)


def aio_server(
    wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``grpc.aio.server(…)``."""
    return _made(wrapped, _aio_interceptor(), args, kwargs)


def _made(wrapped: Callable[..., Any], ours: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with _preparing:
        if len(args) > _INTERCEPTORS:
            given = (ours, *(args[_INTERCEPTORS] or ()))
            args = (*args[:_INTERCEPTORS], given, *args[_INTERCEPTORS + 1 :])
        else:
            kwargs = {**kwargs, "interceptors": (ours, *(kwargs.get("interceptors") or ()))}
    return wrapped(*args, **kwargs)


def _interceptor() -> Any:
    class Interceptor(sys.modules["grpc"].ServerInterceptor):  # type: ignore[misc]
        """Times what answers a call."""

        def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
            return _timed(continuation(details), details)

    return Interceptor()


def _aio_interceptor() -> Any:
    class Interceptor(sys.modules["grpc.aio"].ServerInterceptor):  # type: ignore[misc]
        """Times what answers a call."""

        async def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
            return _timed(await continuation(details), details)

    return Interceptor()


def _timed(handler: Any, details: Any) -> Any:
    """A handler that does the same in a transaction; None where there is no such method."""
    if tracing.tracer is None:
        return handler
    with _wrapping:
        if handler is None:
            _unmatched(details)
            return None
        arity = "_".join(
            "stream" if streams else "unary"
            for streams in (handler.request_streaming, handler.response_streaming)
        )
        behavior = getattr(handler, arity)
        if getattr(behavior, "experimental_non_blocking", False):
            return handler  # it answers from wherever it likes
        make = getattr(sys.modules["grpc"], f"{arity}_rpc_method_handler")
        timed = _streaming(behavior, details) if handler.response_streaming else _answering(behavior, details)
        return make(timed, handler.request_deserializer, handler.response_serializer)
    return handler


def _answering(behavior: Behavior, details: Any) -> Behavior:
    if inspect.iscoroutinefunction(behavior):
        return _awaited(behavior, details, "web")

    @wraps(behavior)
    def answer(request: Any, context: Any) -> Any:
        call = _begin("web", behavior, details, context)
        if call is None:
            return behavior(request, context)
        try:
            response = behavior(request, context)
        except BaseException as error:
            call.end(error)
            raise
        call.end()
        return response

    return answer


def _streaming(behavior: Behavior, details: Any) -> Behavior:
    if inspect.iscoroutinefunction(behavior):  # it writes its answers to the context
        return _awaited(behavior, details, "stream")
    if inspect.isasyncgenfunction(behavior):
        return _generated(behavior, details)

    @wraps(behavior)
    def answer(request: Any, context: Any) -> Any:
        call = _begin("stream", behavior, details, context)
        if call is None:
            return behavior(request, context)
        try:
            return Answers(call, iter(behavior(request, context)))
        except BaseException as error:
            call.end(error)
            raise

    return answer


def _awaited(behavior: Behavior, details: Any, kind: str) -> Behavior:
    @wraps(behavior)
    async def answer(request: Any, context: Any) -> Any:
        call = _begin(kind, behavior, details, context)
        if call is None:
            return await behavior(request, context)
        try:
            response = await behavior(request, context)
        except BaseException as error:
            call.end(error)
            raise
        call.end()
        return response

    return answer


def _generated(behavior: Behavior, details: Any) -> Behavior:
    @wraps(behavior)
    async def answer(request: Any, context: Any) -> AsyncIterator[Any]:
        call = _begin("stream", behavior, details, context)
        async with aclosing(behavior(request, context)) as messages:
            try:
                async for message in messages:
                    if call is not None:
                        call.sends()
                    yield message
            except BaseException as error:
                if call is not None:
                    call.end(error)
                raise
        if call is not None:
            call.end()

    return answer


def _begin(kind: str, behavior: Behavior, details: Any, context: Any) -> Call | None:
    path = _path(details)
    served = native.begin(kind, _METHOD, path, _headers(details))
    if served is None:
        return None
    with _naming:
        served.transaction.rename(of_route(_METHOD, path), ROUTE)
        served.transaction.view = view_of(behavior)
    return Call(served, context)


def _unmatched(details: Any) -> None:
    served = native.begin("web", _METHOD, _path(details), _headers(details))
    if served is not None:
        served.transaction.rename(of_unmatched(_METHOD, _NO_SUCH_METHOD), ROUTE)
        served.end(status=_NO_SUCH_METHOD)


def _path(details: Any) -> str:
    method = details.method
    return method.decode("latin-1") if isinstance(method, bytes) else str(method)


def _headers(details: Any) -> Callable[[str], Any]:
    metadata = dict(details.invocation_metadata or ())
    return lambda name: metadata.get(name.lower())


PATCHES = (
    Returning("grpc:server", server),
    Returning("grpc.aio._server:server", aio_server),
    Returning("grpc.aio:server", aio_server),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Servers",
    "grpc (synchronous and asyncio server)",
    "the interceptors that `grpc.server` and `grpc.aio.server` take; ours comes first",
    "each call by its method, its code and the status of HTTP that means the same, the exception or the `abort` "
    "behind a 5xx, `traceparent`; where answers stream, apart, with their number; what no method answers as one. "
    "Until the answer is handed to grpc: writing and sending it is not in. Servers made before the agent started "
    "are not seen",
    ("grpcio",),
)
