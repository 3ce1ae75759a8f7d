"""The insights of a window, summed by what they are about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from apm_agent.queries import names
from apm_agent.queries.bursts import bursts
from apm_agent.queries.connection import Connection
from apm_agent.queries.finding import Finding, rank, weight
from apm_agent.queries.regressions import regressions
from apm_agent.queries.rollups import Measured
from apm_agent.queries.scope import timed_ids
from apm_agent.queries.speeds import two_speeds
from apm_agent.queries.summed import summed
from apm_agent.queries.window import Window

_KEYS = ("endpoint_id", "kind", "statement_id", "frame_id")
#: Which one the words and the example are of, as the store has it: where it was worst, and of equals the later one.
_WORST = "printf('%019d%019d', max(cost_max_ns, count_max), transaction_id) AS worst_max"
_SUMS = ("transactions", "count", "cost_ns", "cost_bytes", _WORST)
#: of that transaction
_CARRIED = ("text", "transaction_id")


def findings(
    connection: Connection,
    window: Window,
    releases: tuple[int, ...] | None,
    measured: Mapping[int, Measured],
    endpoint: int | None = None,
) -> dict[int, list[Finding]]:
    """Findings by endpoint, the costliest first; `measured` holds the endpoints asked for, in the same window."""
    found: dict[int, list[Finding]] = defaultdict(list)
    for at, each in _seen(connection, window, releases, endpoint).items():
        found[at] += _told(each)
    timed = timed_ids(connection)
    calls = {at: each for at, each in measured.items() if at in timed and endpoint in {None, at}}
    for of_many in (bursts, two_speeds, regressions):
        for one in of_many(connection, window, releases, calls):
            found[one.endpoint].append(one)
    return {at: sorted(each, key=rank, reverse=True) for at, each in found.items()}


def _seen(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, endpoint: int | None
) -> dict[int, list[Finding]]:
    """What was seen in transactions as they were written, by endpoint."""
    rows = summed(connection, window, "insight_rollups", _KEYS, _SUMS, releases, endpoint, carried=_CARRIED)
    frames = names.frames(connection, {row[3] for row in rows})
    texts = names.statements(connection, {row[2] for row in rows})
    found: dict[int, list[Finding]] = defaultdict(list)
    for at, kind, statement, frame, transactions, count, cost, size, _, text, example in rows:
        found[at].append(
            Finding(
                at,
                kind,
                statement,
                texts.get(statement),
                frames.get(frame),
                transactions,
                count,
                cost,
                size,
                text,
                example,
            )
        )
    return found


#: So few transactions that kept memory may only have warmed something up.
_WARMING_UP = 3


def _told(found: list[Finding]) -> list[Finding]:
    """What no line was seen for joins what is like it and has one; memory kept but seldom is no growth."""
    joined: dict[tuple[str, int], Finding] = {}
    apart: list[Finding] = []
    for each in sorted(found, key=lambda each: (each.frame is None, -weight(each))):
        alike = joined.get((each.kind, each.statement_id))
        if each.frame is None and alike is not None:
            joined[each.kind, each.statement_id] = replace(
                alike,
                transactions=alike.transactions + each.transactions,
                count=alike.count + each.count,
                cost_ns=alike.cost_ns + each.cost_ns,
                cost_bytes=alike.cost_bytes + each.cost_bytes,
            )
        elif alike is None:
            joined[each.kind, each.statement_id] = each
        else:
            apart.append(each)
    return [
        each
        for each in (*joined.values(), *apart)
        if each.kind != "memory_growth" or each.transactions >= _WARMING_UP
    ]
