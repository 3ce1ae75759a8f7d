"""Reads the parameters of a question as they are declared; what is unknown, doubled or malformed is refused by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from werkzeug.datastructures import MultiDict

from apm_agent.errors import QuestionError
from apm_agent.queries.window import Window, parse

WINDOW = ("range", "from", "to")
COMMON = (*WINDOW, "service", "release", "host")

#: What pages keep in their own address; it may come along in a question and means nothing there.
PAGES_OWN = frozenset({
    "band", "cols", "cursor", "desc", "flame", "focus", "format", "group", "id", "kind", "limit",
    "live", "name", "open", "order", "page", "preset", "q", "search", "select", "selected", "side",
    "sort", "span", "tab", "theme", "token", "view", "zoom",
})  # fmt: skip

_LONGEST = 2000
_LARGEST = 1e15
_SWITCHES = ("0", "1", "true", "false")

TEXT, WHOLE, NUMBER, SWITCH, CHOICE, MOMENT = "text", "whole", "number", "switch", "choice", "moment"


class Parameter(NamedTuple):
    """What a question may be told, and how: reading and the OpenAPI document both go by this.

    A parameter that is given empty is not given.
    """

    about: str
    kind: str = TEXT
    #: what the document shows as an example
    example: Any = ""
    #: of whole numbers and numbers
    least: float = 0
    most: float = _LARGEST
    default: Any = None
    #: of texts
    longest: int = 500
    #: for the document: what the question itself refuses in words of its own
    pattern: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False


#: A parameter that has a row in ROUTES and is declared nowhere: a text, and a test finds it.
UNTOLD = Parameter("", longest=1000)

Declared = Mapping[str, Parameter]


class Given(dict[str, str]):
    """The parameters of one question, each as it was written, and how they are declared."""

    def __init__(self, taken: Mapping[str, str], declared: Declared) -> None:
        super().__init__(taken)
        self.declared = declared


def read(given: MultiDict[str, str], declared: Declared) -> Given:
    """The parameters a question takes, each once; raises `QuestionError` for any other."""
    taken: dict[str, str] = {}
    for name, values in given.lists():
        if name not in declared:
            if name in PAGES_OWN:
                continue
            raise QuestionError(f"unknown parameter {name[:40]!r}; there are {', '.join(sorted(declared))}")
        if len(values) > 1:
            raise QuestionError(f"{name}= is given {len(values)} times: give it once")
        if len(values[0]) > _LONGEST:
            raise QuestionError(f"{name}= is longer than {_LONGEST} characters")
        taken[name] = values[0]
    found = Given(taken, declared)
    for name, parameter in declared.items():
        _check(found, name, parameter)
    return found


def again(given: Mapping[str, str], declared: Declared) -> Given:
    """The same of parameters that another question was given already; what is empty is not given."""
    return read(MultiDict({name: value for name, value in given.items() if value}), declared)


def _check(given: Given, name: str, parameter: Parameter) -> None:
    if parameter.required and not given.get(name):
        raise QuestionError(f"{name}= is missing")
    if parameter.kind == WHOLE:
        whole(given, name)
    elif parameter.kind == NUMBER:
        number(given, name)
    elif parameter.kind == SWITCH:
        yes(given, name)
    elif parameter.kind == CHOICE:
        choice(given, name)
    else:
        text(given, name)


def _declared(given: Mapping[str, str], name: str) -> Parameter:
    return given.declared[name] if isinstance(given, Given) else UNTOLD


def window(parameters: Mapping[str, str]) -> Window:
    """The window the question is about."""
    return parse(parameters)


def given_window(parameters: Mapping[str, str]) -> Window | None:
    """The window, where one is named at all."""
    return parse(parameters) if any(parameters.get(name) for name in WINDOW) else None


def text(given: Mapping[str, str], name: str, most: int = 0) -> str:
    """A text; empty when it is not given."""
    value = given.get(name, "")
    longest = most or _declared(given, name).longest
    if len(value) > longest:
        raise QuestionError(f"{name}= is longer than {longest} characters")
    return value


def required(given: Mapping[str, str], name: str) -> str:
    """A text that must be there."""
    value = text(given, name)
    if not value:
        raise QuestionError(f"{name}= is missing")
    return value


def choice(given: Mapping[str, str], name: str) -> str:
    """One of a few words; the default, or nothing, when it is not given."""
    value = given.get(name, "")
    parameter = _declared(given, name)
    if value and value not in parameter.choices:
        raise QuestionError(f"{name}={value[:40]!r} is not one of {', '.join(parameter.choices)}")
    return value or str(parameter.default or "")


def whole(given: Mapping[str, str], name: str) -> int:
    """A whole number between its bounds; the default when it is not given."""
    value = given.get(name, "")
    parameter = _declared(given, name)
    if not value:
        return int(parameter.default or 0)
    least, most = int(parameter.least), int(parameter.most)
    if not value.isascii() or not value.isdigit() or len(value) > 12 or not least <= int(value) <= most:
        raise QuestionError(f"{name}={value[:40]!r} is not a whole number from {least} to {most}")
    return int(value)


def number(given: Mapping[str, str], name: str) -> float | None:
    """A number; the default when it is not given."""
    value = given.get(name, "")
    parameter = _declared(given, name)
    if not value:
        return None if parameter.default is None else float(parameter.default)
    try:
        found = float(value) if value.isascii() and "_" not in value else math.nan
    except ValueError:
        found = math.nan
    if not parameter.least <= found <= _LARGEST:  # also refuses NaN
        raise QuestionError(f"{name}={value[:40]!r} is not a number from {parameter.least:g}")
    if found > parameter.most:
        raise QuestionError(f"{name}={found} is not a number from {parameter.least:g} to {parameter.most:g}")
    return found


def milliseconds(given: Mapping[str, str], name: str) -> int | None:
    """A number of milliseconds, in nanoseconds."""
    found = number(given, name)
    return None if found is None else min(int(found * 1e6), 2**62)


def yes(given: Mapping[str, str], name: str) -> bool:
    """A switch: 1 or 0."""
    value = given.get(name, "")
    if value not in ("", *_SWITCHES):
        raise QuestionError(f"{name}={value[:40]!r} is not 1 or 0")
    return value in ("1", "true")


def schema(parameter: Parameter) -> dict[str, Any]:
    """The values of a parameter as JSON Schema."""
    made: dict[str, Any]
    if parameter.kind == WHOLE:
        made = {"type": "integer", "minimum": int(parameter.least), "maximum": int(parameter.most)}
    elif parameter.kind == NUMBER:
        made = {"type": "number", "minimum": parameter.least, "maximum": parameter.most}
    elif parameter.kind == SWITCH:
        made = {"type": "string", "enum": list(_SWITCHES)}
    elif parameter.kind == CHOICE:
        made = {"type": "string", "enum": list(parameter.choices)}
    elif parameter.kind == MOMENT:
        made = {
            "anyOf": [
                {"type": "number", "minimum": parameter.least, "maximum": parameter.most},
                {"type": "string", "pattern": parameter.pattern},
            ]
        }
    else:
        made = {"type": "string", "maxLength": parameter.longest}
        if parameter.pattern:
            made["pattern"] = parameter.pattern
    if parameter.required and made.get("type") == "string":
        made["minLength"] = 1
    if parameter.default is not None:
        made["default"] = parameter.default
    return made
