"""Says who holds some objects, in words that name code only: globals, attributes, classes, functions, never values.

Keys and contents of the application's containers may be anybody's data and are not looked at.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable
from types import (
    CellType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MappingProxyType,
    ModuleType,
)
from typing import Any

_CONTAINERS = (dict, list, set, tuple, frozenset)
_MOST_HOLDERS = 5
_MOST_REFERRERS = 200
#: A scan of all objects takes about so long for each of them.
_NS_AN_OBJECT = 60


_module: Callable[[type], Any] = type.__dict__["__module__"].__get__
_qualname: Callable[[type], Any] = type.__dict__["__qualname__"].__get__
_contents: Callable[[type], MappingProxyType[str, Any]] = type.__dict__["__dict__"].__get__


class Holders:
    """Looks through all objects that may hold others, within a time it is given."""

    def __init__(self, objects: list[Any], budget_ns: int, clock: Callable[[], int]) -> None:
        self._objects = objects
        self._clock = clock
        self._until = clock() + budget_ns
        self._scan_ns = len(objects) * _NS_AN_OBJECT
        self._names: dict[int, str] | None = None

    def of(self, objects: list[Any]) -> list[tuple[str, int]]:
        """What holds these, and how many of them (or of their containers) each; empty when there is no time."""
        told: Counter[str] = Counter()
        holders = self._referrers(objects) if objects else []
        for holder in holders:
            told[self._describe(holder, objects, holders)] += 1
        return told.most_common(_MOST_HOLDERS)

    def _referrers(self, objects: list[Any], *ours: list[Any]) -> list[Any]:
        """What refers to some objects, but for lists, frames and arguments of our own."""
        began = self._clock()
        if began + self._scan_ns > self._until:
            return []
        found = gc.get_referrers(*objects)
        self._scan_ns = self._clock() - began
        known = {id(self._objects), id(objects), *map(id, ours)}
        asked = tuple(objects)
        return [
            each
            for each in found[:_MOST_REFERRERS]
            if id(each) not in known
            and not _is_our_frame(each)
            and not (type(each) is tuple and _same(each, asked))  # the arguments of our own question
        ]

    def _describe(self, holder: Any, held: list[Any], siblings: list[Any]) -> str:
        named = self._named().get(id(holder))
        kind = type(holder)
        if named is not None:
            return f"{kind.__name__} {named}"
        if kind is FrameType:
            return f"running {_name(holder.f_code)}()"
        if kind in (GeneratorType, CoroutineType):
            return f"suspended {holder.__qualname__}()"
        if kind is CellType:
            return "a closure"
        if kind in _CONTAINERS:
            return self._container(holder, held, siblings)
        return self._attribute(holder, held)

    def _container(self, holder: Any, held: list[Any], siblings: list[Any]) -> str:
        """By what holds the container itself: `list in attribute carts of shop.Store`."""
        kind = type(holder).__name__
        above = self._referrers([holder], held, siblings)
        for each in above:
            named = self._named().get(id(each))
            if named is not None:
                return f"{kind} in {type(each).__name__} {named}"
            if type(each) is dict:  # it may be the attributes of an object
                for owner in self._referrers([each], above, held, siblings):
                    if type(owner) not in (*_CONTAINERS, FrameType):
                        return f"{kind} in {self._attribute(owner, [holder])}"
            elif type(each) not in (*_CONTAINERS, FrameType):
                if kind == "dict":  # most often its own attributes
                    return self._attribute(each, held)
                return f"{kind} in {self._attribute(each, [holder])}"
        if any(type(each) is FrameType for each in above):
            return f"{kind} of a running function"
        return f"{kind} in {type(above[0]).__name__}" if above else kind

    def _attribute(self, holder: Any, held: list[Any]) -> str:
        """`attribute items of shop.Cart`; the attribute is known where the object has a plain dictionary."""
        kind = holder if _is_class(holder) else type(holder)
        name = name_of(kind)
        if kind is FunctionType:
            return f"function {holder.__module__}.{holder.__qualname__}"
        if kind in (ModuleType, MappingProxyType):
            return name
        wanted = {id(each) for each in held}
        try:
            attributes = object.__getattribute__(holder, "__dict__")
        except (AttributeError, TypeError):
            return name
        if type(attributes) is dict or type(attributes) is MappingProxyType:
            for attribute, value in list(attributes.items()):
                if id(value) in wanted and isinstance(attribute, str):
                    return f"attribute {attribute[:100]} of {name}"
        return name

    def _named(self) -> dict[int, str]:
        """Containers and objects that are globals of modules or attributes of their classes, by identity."""
        if self._names is None:
            self._names = names = {}
            for module_name, module in list(sys.modules.items()):
                if type(module) is not ModuleType or module_name.partition(".")[0] == "apm_agent":
                    continue
                contents = module.__dict__
                names[id(contents)] = f"globals of {module_name}"
                for name, value in list(contents.items()):
                    if isinstance(name, str):
                        self._add(names, f"{module_name}.{name}", value, module_name)
        return self._names

    @staticmethod
    def _add(names: dict[int, str], name: str, value: Any, module_name: str) -> None:
        if type(value) in _CONTAINERS:
            names.setdefault(id(value), name)
        elif _is_class(value) and _module(value) == module_name:
            for attribute, inner in list(_contents(value).items()):
                if type(inner) in _CONTAINERS and isinstance(attribute, str):
                    names.setdefault(id(inner), f"{name}.{attribute}")


def name_of(kind: type) -> str:
    """`shop.Cart`, or `dict`, whatever its metaclass answers to such questions."""
    module = _module(kind)
    plain = module == "builtins" or not isinstance(module, str)
    return str(_qualname(kind))[:200] if plain else f"{module}.{_qualname(kind)}"[:200]


def _is_class(value: Any) -> bool:
    # Not by isinstance, which asks the object: a proxy would run the application's code, or raise.
    return issubclass(type(value), type)


def _name(code: CodeType) -> str:
    return getattr(code, "co_qualname", code.co_name)


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """The very same objects: to compare them otherwise would run the application's code."""
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _is_our_frame(each: Any) -> bool:
    return type(each) is FrameType and each.f_globals.get("__name__", "").partition(".")[0] == "apm_agent"
