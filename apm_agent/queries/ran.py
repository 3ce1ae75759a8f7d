"""What a side of a comparison ran: its statements by their text, which is the same in every store."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, NamedTuple

from apm_agent.model.profile import Frame
from apm_agent.queries import names
from apm_agent.queries.connection import Connection


class Ran(NamedTuple):
    """A statement: how often it ran, how long, the line that ran it most, and its id where it has one."""

    runs: int
    duration_ns: int
    where: Frame | None
    id: int = 0


def by_text(connection: Connection, rows: list[Any]) -> dict[str, Ran]:
    """Rows of statement, frame, runs and nanoseconds, by the statement's text."""
    texts = names.statements(connection, {row[0] for row in rows})
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    places: dict[str, Counter[int]] = defaultdict(Counter)
    ids: dict[str, int] = {}
    for statement, frame, runs, ns in rows:
        text = texts.get(statement, "(forgotten)")
        ids[text] = statement if statement in texts else 0
        sums[text][0] += runs
        sums[text][1] += ns
        places[text][frame] += runs
    most = {text: max(found, key=lambda frame: (found[frame], -frame)) for text, found in places.items()}
    frames = names.frames(connection, set(most.values()))
    return {text: Ran(runs, ns, frames.get(most[text]), ids[text]) for text, (runs, ns) in sums.items()}
