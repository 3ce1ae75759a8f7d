"""Reads sizes as people write them in tests and on the command line."""

from __future__ import annotations

_UNITS = {"gb": 2**30, "mb": 2**20, "kb": 2**10, "b": 1, "": 1}


def bytes_of(value: int | str) -> int:
    """Bytes of a number, or of a text like ``5MB``; `ValueError` names the value and what it may be."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        text = value.strip().lower().replace(" ", "")
        unit = next(unit for unit in _UNITS if text.endswith(unit))
        number = text[: len(text) - len(unit)]
        if number.replace(".", "", 1).isdecimal() and number.isascii():
            return int(float(number) * _UNITS[unit])
    raise ValueError(f"{value!r:.60} is no size: write bytes, or a number with KB, MB or GB, like 5MB")
