"""Reads the parameters of a question; what is unknown, doubled or malformed is refused by name."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from werkzeug.datastructures import MultiDict

from apm_agent.errors import QuestionError
from apm_agent.queries.window import Window, parse

WINDOW = ("range", "from", "to")
COMMON = (*WINDOW, "service", "release")

#: What pages keep in their own address; it may come along in a question and means nothing there.
PAGES_OWN = frozenset({
    "band", "cols", "cursor", "desc", "flame", "focus", "format", "group", "id", "kind", "limit",
    "live", "name", "open", "order", "page", "preset", "q", "search", "select", "selected", "side",
    "sort", "span", "tab", "theme", "token", "view", "zoom",
})  # fmt: skip

_LONGEST = 2000
_LARGEST = 1e15


def read(given: MultiDict[str, str], allowed: Collection[str]) -> dict[str, str]:
    """The parameters a question takes, each once; raises `QuestionError` for any other."""
    known = {*allowed, *COMMON}
    taken: dict[str, str] = {}
    for name, values in given.lists():
        if name not in known:
            if name in PAGES_OWN:
                continue
            raise QuestionError(f"unknown parameter {name[:40]!r}; there are {', '.join(sorted(known))}")
        if len(values) > 1:
            raise QuestionError(f"{name}= is given {len(values)} times: give it once")
        if len(values[0]) > _LONGEST:
            raise QuestionError(f"{name}= is longer than {_LONGEST} characters")
        taken[name] = values[0]
    return taken


def window(parameters: Mapping[str, str]) -> Window:
    """The window the question is about."""
    return parse(parameters)


def given_window(parameters: Mapping[str, str]) -> Window | None:
    """The window, where one is named at all."""
    return parse(parameters) if any(parameters.get(name) for name in WINDOW) else None


def text(parameters: Mapping[str, str], name: str, longest: int = 500) -> str:
    """A text; empty when it is not given."""
    value = parameters.get(name, "")
    if len(value) > longest:
        raise QuestionError(f"{name}= is longer than {longest} characters")
    return value


def required(parameters: Mapping[str, str], name: str) -> str:
    """A text that must be there."""
    value = text(parameters, name, 1000)
    if not value:
        raise QuestionError(f"{name}= is missing")
    return value


def whole(parameters: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number between two bounds."""
    value = parameters.get(name, "")
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or len(value) > 12 or not least <= int(value) <= most:
        raise QuestionError(f"{name}={value[:40]!r} is not a whole number from {least} to {most}")
    return int(value)


def number(parameters: Mapping[str, str], name: str) -> float | None:
    """A number from 0; None when it is not given."""
    value = parameters.get(name, "")
    if not value:
        return None
    try:
        found = float(value) if value.isascii() and "_" not in value else math.nan
    except ValueError:
        found = math.nan
    if not 0 <= found <= _LARGEST:  # also refuses NaN
        raise QuestionError(f"{name}={value[:40]!r} is not a number from 0")
    return found


def milliseconds(parameters: Mapping[str, str], name: str) -> int | None:
    """A number of milliseconds, in nanoseconds."""
    found = number(parameters, name)
    return None if found is None else min(int(found * 1e6), 2**62)


def yes(parameters: Mapping[str, str], name: str) -> bool:
    """A switch: 1 or 0."""
    value = parameters.get(name, "")
    if value not in ("", "0", "1", "true", "false"):
        raise QuestionError(f"{name}={value[:40]!r} is not 1 or 0")
    return value in ("1", "true")
