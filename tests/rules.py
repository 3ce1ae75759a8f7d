"""A rule as a user writes one, for tests that name it."""

from __future__ import annotations


def everybody(request: object) -> bool:
    return True
