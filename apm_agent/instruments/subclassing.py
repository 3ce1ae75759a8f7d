"""Puts methods over classes made in C, which cannot be patched: our subclass between the user's and the library's.

What is made is a true instance of all it would have been, so C code that checks types takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained

_MOST = 200
_making = contained("making a subclass of a driver's")


class Subclasses:
    """The subclasses of one library; `methods` gives what to put over its class, or None for any other class."""

    def __init__(self, methods: Callable[[type], dict[str, Any] | None]) -> None:
        self._methods = methods
        #: class of the application or the library → our subclass of it
        self._made: dict[Any, Any] = {}

    def of(self, factory: Any) -> Any:
        """Our subclass of a connection or cursor class; anything else, such as a function, as it is."""
        known = self._made.get(factory)
        if known is None:
            if not isinstance(factory, type) or len(self._made) > _MOST:
                return factory
            known = factory
            with _making:
                known = self._subclass(factory)
            self._made[factory] = self._made[known] = known
        return known

    def _subclass(self, factory: type) -> type:
        for base in factory.__mro__:
            methods = self._methods(base)
            if methods is not None:
                if base is factory:
                    return _named_like(base, (base,), methods)
                # Between the user's class and the library's, so that what the user overrides stays outermost.
                return _named_like(factory, (factory, self.of(base)), {})
        return factory


def _named_like(model: type, bases: tuple[type, ...], methods: dict[str, Any]) -> type:
    names = {"__module__": model.__module__, "__qualname__": model.__qualname__, "__doc__": model.__doc__}
    made: type = type(model)(model.__name__, bases, {"__slots__": (), **names, **methods})
    return made


def like(function: Any, plain: Any) -> Any:
    """The function, presenting itself as the C method below it."""
    function.__name__, function.__qualname__ = plain.__name__, plain.__qualname__
    function.__doc__, function.__wrapped__ = plain.__doc__, plain
    return function
