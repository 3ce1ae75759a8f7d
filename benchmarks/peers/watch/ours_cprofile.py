"""This agent with cProfile of every request."""

from __future__ import annotations

from watch import ours
from watch.ours import FRAMEWORKS, REQUIRES, SENDS, begin, django, flask, flush, kept, starlette

TITLE = "apm-agent, cProfile of every request"

__all__ = [
    "FRAMEWORKS",
    "REQUIRES",
    "SENDS",
    "TITLE",
    "begin",
    "django",
    "flask",
    "flush",
    "kept",
    "starlette",
]


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Its settings."""
    return {**ours.environment(port, core_port, folder), "APM_AGENT_CPROFILE_SHARE": "1"}
