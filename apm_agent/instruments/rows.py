"""The kinds of rows an instrument's table PATCHES is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from apm_agent.model.span import Span

#: Fills in the span just opened from the call's arguments: ``describe(span, instance, args, kwargs)``.
#: `instance` is None for a function, and `args` come without it.
Describe = Callable[[Span, Any, tuple[Any, ...], dict[str, Any]], None]
#: Fills in the span from what the call returned: ``finish(span, result, args)``.
Finish = Callable[[Span, Any, tuple[Any, ...]], None]
#: Does the call in its own way: ``wrapper(wrapped, instance, args, kwargs)`` returns what the caller gets.
Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
#: Uses a library's own hook, given its module, and returns what takes the hook off again.
Attach = Callable[[Any], Callable[[], None]]


class Timed(NamedTuple):
    """A span around each call of ``module:function`` or ``module:Class.method``, of whatever kind it is.

    The span is opened first, so outside a transaction nothing is described. When describing fails, that is
    contained, the span keeps the target as its name, and the call goes on. `leaf`: no other instrument opens
    a span below.
    """

    target: str
    describe: Describe | None = None
    kind: str = "code"
    leaf: bool = False
    finish: Finish | None = None
    #: What the span is called until it is described; None: the target.
    name: str | None = None
    #: How many frames above the call are the library's for sure; the search for the user's line skips them.
    inside: int = 0


class Attached(NamedTuple):
    """A library's official hook, used as soon as `module` is imported; always preferred to patching."""

    module: str
    attach: Attach

    @property
    def target(self) -> str:
        return self.module


class Returning(NamedTuple):
    """A callable of which we change arguments or result: for objects made in C with no hook."""

    target: str
    wrapper: Wrapper


class Passing(NamedTuple):
    """A callable that takes another one: its argument at `position`, `self` not counted, goes through `wrap`.

    For what runs a function elsewhere (``ThreadPoolExecutor.submit(function, …)``), where `wrap` gives the
    function what it would lose on the way. When `wrap` fails, the argument goes on as it was.
    """

    target: str
    position: int
    wrap: Callable[[Any], Any]


class Replaced(NamedTuple):
    """A plain function or method of Python in whose place another stands, made of it once.

    For what is called so often, as for each row of a result, that the way through `Returning` would cost more than
    the call.
    """

    target: str
    make: Callable[[Callable[..., Any]], Callable[..., Any]]


Patch = Timed | Returning | Passing | Replaced
Row = Patch | Attached
