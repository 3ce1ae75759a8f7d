"""Whether an answer has the shape the OpenAPI document tells of it: what leaves here is never of another type.

Many values of one shape are looked at together, which costs about a tenth of writing them as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from apm_agent.web.shapes import ANY, NUMBER, WHOLE, Each, Either, File, Maybe, One, Shape

_LEAVES: dict[Shape, set[type]] = {NUMBER: {int, float}, WHOLE: {int}}


def fits(value: Any, shape: Shape) -> bool:
    """Whether it has exactly the keys of the shape, down to each value's type."""
    return _all_fit([value], shape)


def _all_fit(values: list[Any], shape: Shape) -> bool:
    if shape is ANY or not values or isinstance(shape, File):
        return True
    if isinstance(shape, Maybe):
        return _all_fit([value for value in values if value is not None], shape.shape)
    if isinstance(shape, Either):
        return all(any(fits(value, each) for each in shape.shapes) for value in values)
    if isinstance(shape, One):
        return _all_of(values, {str, int, float, bool}) and set(values) <= set(shape.values)
    if isinstance(shape, Each):
        return _all_of(values, {dict}) and _all_fit(
            _together(value.values() for value in values), shape.shape
        )
    if isinstance(shape, list):
        return _all_of(values, {list, tuple}) and _all_fit(_together(values), shape[0])
    if isinstance(shape, dict):
        return _all_have(values, shape)
    return _all_of(values, _LEAVES.get(shape) or {shape})


def _all_have(values: list[Any], shape: dict[str, Shape]) -> bool:
    keys = shape.keys()
    if not _all_of(values, {dict}) or any(value.keys() != keys for value in values):
        return False
    return all(_all_fit([value[key] for value in values], part) for key, part in shape.items())


def _all_of(values: Iterable[Any], kinds: set[type]) -> bool:
    return kinds.issuperset(map(type, values))


def _together(many: Iterable[Iterable[Any]]) -> list[Any]:
    return list(chain.from_iterable(many))
