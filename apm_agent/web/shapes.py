"""How the shape of a JSON document is written down, and the same as JSON Schema.

A dictionary is an object with exactly these keys; a list of one shape is an array of it. `Maybe` is null or a shape,
`Each` an object of any keys, `One` one of a few values, `Either` one of a few shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Shape = Any
NUMBER, TEXT, WHOLE, YES, ANY = (int, float), str, int, bool, object

_TYPES: dict[Any, str] = {NUMBER: "number", TEXT: "string", WHOLE: "integer", YES: "boolean"}


class Maybe:
    """Null, or the shape."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


class Each:
    """A mapping of any keys to the shape."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


class File:
    """No JSON at all: a file of this content type."""

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type


class Either:
    """One of these shapes."""

    def __init__(self, *shapes: Shape) -> None:
        self.shapes = shapes


class One:
    """One of these values."""

    def __init__(self, *values: Any) -> None:
        self.values = values


def schema(shape: Shape, named: Mapping[str, Shape], meaning: Callable[[str], str]) -> dict[str, Any]:
    """The shape as JSON Schema; the very shapes in `named` are told by reference, keys by what `meaning` says."""
    for name, known in named.items():
        if known is shape:
            return {"$ref": f"#/components/schemas/{name}"}
    return inlined(shape, named, meaning)


def inlined(shape: Shape, named: Mapping[str, Shape], meaning: Callable[[str], str]) -> dict[str, Any]:
    """As `schema`, and the shape itself written out."""
    if shape is ANY:
        return {}
    if isinstance(shape, Maybe):
        return _or_null(schema(shape.shape, named, meaning))
    if isinstance(shape, Each):
        return {"type": "object", "additionalProperties": schema(shape.shape, named, meaning)}
    if isinstance(shape, Either):
        return {"anyOf": [schema(each, named, meaning) for each in shape.shapes]}
    if isinstance(shape, One):
        return {"enum": list(shape.values)}
    if isinstance(shape, list):
        return {"type": "array", "items": schema(shape[0], named, meaning)}
    if isinstance(shape, dict):
        keys = {key: _told(schema(part, named, meaning), meaning(key)) for key, part in shape.items()}
        return {
            "type": "object", "properties": keys, "required": list(shape), "additionalProperties": False
        }  # fmt: skip
    return {"type": _TYPES[shape]}


def _or_null(made: dict[str, Any]) -> dict[str, Any]:
    if isinstance(made.get("type"), str):
        return {**made, "type": [made["type"], "null"]}
    if not made:
        return made
    return {"anyOf": [made, {"type": "null"}]}


def _told(made: dict[str, Any], said: str) -> dict[str, Any]:
    return {**made, "description": said} if said else made
