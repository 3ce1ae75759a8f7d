"""subprocess: a span for as long as somebody waits for another program, sync and async.

Of what was run the program's name is kept; its arguments may say anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Returning, Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing

_describing = contained("describing a span")
_LONGEST = 60


def run(span: Span, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``subprocess.run(args, …)``: starting it is part of the span."""
    _describe(span, args[0] if args else kwargs.get("args"))


def ran(span: Span, result: Any, args: tuple[Any, ...]) -> None:
    """A `CompletedProcess`."""
    span.tag(returncode=result.returncode)


def wait(wrapped: Callable[..., Any], popen: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Popen.wait()`` and ``Popen.communicate()``, unless it is known to be over."""
    span = tracing.open_span("wait", "subprocess", True) if popen.returncode is None else None
    if span is None:
        return wrapped(*args, **kwargs)
    try:
        with _describing:
            _describe(span, popen.args)
        result = wrapped(*args, **kwargs)
        span.tag(returncode=popen.returncode)
        return result
    except BaseException as error:
        span.tag(error=type(error).__name__)
        raise
    finally:
        tracing.close_span(span)


async def wait_async(
    wrapped: Callable[..., Any], process: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The same of an `asyncio.subprocess.Process`."""
    span = tracing.open_span("wait", "subprocess", True) if process.returncode is None else None
    if span is None:
        return await wrapped(*args, **kwargs)
    try:
        with _describing:
            _describe(span, process._transport.get_extra_info("subprocess").args)
        result = await wrapped(*args, **kwargs)
        span.tag(returncode=process.returncode)
        return result
    except BaseException as error:
        span.tag(error=type(error).__name__)
        raise
    finally:
        tracing.close_span(span)


def _describe(span: Span, command: Any) -> None:
    many = not isinstance(command, (str, bytes)) and hasattr(command, "__getitem__")
    first = command[0] if many else command
    text = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
    if first is command:  # for a shell: no more than its first word, which may also set a variable
        text = (text[: 10 * _LONGEST].split() or ["shell"])[0]
    program = text.replace("\\", "/").rpartition("/")[2][:_LONGEST]
    span.name = f"subprocess {'shell' if '=' in program or not program else program}"


PATCHES = (
    Timed("subprocess:run", run, kind="wait", leaf=True, finish=ran),
    Returning("subprocess:Popen.wait", wait),
    Returning("subprocess:Popen.communicate", wait),
    Returning("asyncio.subprocess:Process.wait", wait_async),
    Returning("asyncio.subprocess:Process.communicate", wait_async),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Python's own",
    "subprocess, asyncio.subprocess",
    "patch of `run`, `Popen.wait` and `communicate`",
    "a wait with the program's name and exit code, never its arguments",
)
