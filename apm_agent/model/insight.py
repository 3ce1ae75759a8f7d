"""An insight: a named cause found in a transaction, with evidence, cost and a source line."""

from __future__ import annotations

from typing import NamedTuple

from apm_agent.model.profile import Frame


class Insight(NamedTuple):
    """What made a transaction slow.

    `kind` is the rule's name, as `apm_agent.insights` lists them; `cost_ns` the time it cost this transaction (0 where
    it cost memory, with `cost_bytes`; of calls in a row what they would save at most); `count` how often it happened in
    it; `statement` the normalised SQL it is about, if any; `text` one plain phrase without the place.
    """

    kind: str
    text: str
    cost_ns: int
    count: int = 1  # type: ignore[assignment]  # tuple.count is of no use here
    where: Frame | None = None
    statement: str | None = None
    cost_bytes: int = 0
