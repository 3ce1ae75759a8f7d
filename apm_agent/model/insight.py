"""An insight: a named cause found in a transaction, with evidence, cost and a source line."""

from __future__ import annotations

from typing import NamedTuple

from apm_agent.model.profile import Frame


class Insight(NamedTuple):
    """What made a transaction slow.

    `kind` is the rule's name (``repeated_query``, ``slow_query``, ``slow_upstream``, ``slow_template``,
    ``blocked_loop``, ``blocked_by``, ``hot_line``, ``gc_pause``, ``memory_growth``); `cost_ns` the time it cost this
    transaction (0 where it cost memory, with `cost_bytes`); `count` how often it happened in it; `statement`
    the normalised SQL it is about, if any; `text` one plain phrase without the place.
    """

    kind: str
    text: str
    cost_ns: int
    count: int = 1  # type: ignore[assignment]  # tuple.count is of no use here
    where: Frame | None = None
    statement: str | None = None
    cost_bytes: int = 0
