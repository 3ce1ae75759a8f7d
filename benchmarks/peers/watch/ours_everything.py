"""This agent with cProfile of every request, 500 looks a second, and the detail of every request kept."""

from __future__ import annotations

from watch import ours
from watch.ours import FRAMEWORKS, REQUIRES, SENDS, begin, django, flask, flush, kept, starlette

TITLE = "apm-agent, everything on"

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
    return {
        **ours.environment(port, core_port, folder),
        "APM_AGENT_CPROFILE_SHARE": "1",
        "APM_AGENT_MAX_DETAILS": "0",
        "APM_AGENT_SAMPLE_INTERVAL": "0.002",
        "APM_AGENT_SAMPLER_BUDGET": "0.05",
    }
