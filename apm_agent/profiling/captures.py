"""Makes what can be armed, when it is armed for the first time: most processes never need what it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from apm_agent.model import arm
from apm_agent.model.origin import Origin
from apm_agent.profiling.armed import Capture
from apm_agent.profiling.cprofile import Deterministic, OnDemand


def captures(origin: Origin, deterministic: Deterministic) -> Mapping[str, Callable[[], Capture]]:
    """What makes each capture, by the name an arm has for it."""
    return {
        arm.CPROFILE: partial(OnDemand, deterministic),
        arm.LINES: _lines,
        arm.MEMORY: partial(_memory, origin),
    }


def _lines() -> Capture:
    from apm_agent.profiling.lines import LineTimings

    return LineTimings()


def _memory(origin: Origin) -> Capture:
    from apm_agent.profiling.allocations import Allocations  # with tracemalloc, and pickle for that

    return Allocations(origin)
