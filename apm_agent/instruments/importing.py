"""Calls us when the application imports a module, before or after; then the import system is as it was.

Not wrapt's import hooks: since 2.0 importing wrapt loads `socket`, later also `asyncio` and `ssl`, which
must not be there before gevent patches them, and its hooks can never be taken out again.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Called = Callable[[ModuleType], None]
Expected = Callable[[str], None]


class _Finder:
    """First in ``sys.meta_path``; lets the others find a module, and learns when it is executed."""

    def __init__(self) -> None:
        self.watched: dict[str, tuple[Called, ...]] = {}
        self.expected: dict[str, Expected] = {}
        self.executing: set[str] = set()
        self._finding: set[tuple[int, str]] = set()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self.watched and name not in self.expected:
            return None
        # Another finder may ask all finders again, and so us. Another thread that only looks for the module, as
        # `importlib.util.find_spec` does without a lock, must not hide the import of this one from us.
        asked = (get_ident(), name)
        if asked in self._finding:
            return None
        self._finding.add(asked)
        try:
            return self._found_by_others(name, path, target)
        finally:
            self._finding.discard(asked)

    def _found_by_others(self, name: str, path: Any, target: Any) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            find: Callable[..., ModuleSpec | None] | None = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec = find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, self)  # type: ignore[assignment]
                return spec
        return None


class _Loader:
    """The module's own loader for all purposes, until the module is being executed."""

    def __init__(self, loader: Any, finder: _Finder) -> None:
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        # Here and not when it was found: many only ask whether there is such a module, and never import it.
        expected = self._finder.expected.get(spec.name)
        if expected is not None:
            expected(spec.name)
        create = getattr(self._loader, "create_module", None)
        made: ModuleType | None = create(spec) if create is not None else None
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._finder.executing.add(module.__name__)
        try:
            spec = module.__spec__
            if spec is not None and getattr(spec, "loader", None) is self:
                spec.loader = self._loader
            if getattr(module, "__loader__", None) is self:
                module.__loader__ = self._loader
            self._loader.exec_module(module)
        finally:
            self._finder.executing.discard(module.__name__)
        for called in self._finder.watched.get(module.__name__, ()):
            called(module)


_finder = _Finder()


def watch(name: str, called: Called) -> None:
    """Call `called`, which must not raise, each time the module `name` has been imported or reloaded."""
    others = _finder.watched.get(name, ())
    if called not in others:
        _finder.watched[name] = (*others, called)
    _listen()


def expect(name: str, called: Expected) -> None:
    """Call `called`, which must not raise, with `name` when the module is about to be executed; one each name."""
    _finder.expected[name] = called
    _listen()


def is_to_come(module: ModuleType) -> bool:
    """Whether what watches the module is yet to be called: some thread is importing it, and it may lie there empty."""
    spec = getattr(module, "__spec__", None)
    return module.__name__ in _finder.executing or isinstance(getattr(spec, "loader", None), _Loader)


def forget(called: Called) -> None:
    """Call `called` no more."""
    left = {name: tuple(c for c in all_of_it if c != called) for name, all_of_it in _finder.watched.items()}
    _finder.watched = {name: others for name, others in left.items() if others}
    _rest()


def expect_nothing() -> None:
    """Take back every `expect`."""
    _finder.expected = {}
    _rest()


def _listen() -> None:
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def _rest() -> None:
    if not _finder.watched and not _finder.expected:
        # A new list: an import that walks through the old one meanwhile would miss the finder after the next.
        sys.meta_path = [finder for finder in sys.meta_path if finder is not _finder]
