"""The insights of a window, summed by what they are about."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from apm_agent.model.profile import Frame
from apm_agent.queries import names
from apm_agent.queries.connection import Connection
from apm_agent.queries.phrases import Evidence
from apm_agent.queries.scope import select
from apm_agent.queries.window import Window

_COLUMNS = (
    "endpoint_id, kind, statement_id, frame_id, transactions, count, cost_ns, cost_max_ns, cost_bytes, text,"
    " transaction_id"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause in one endpoint, over a window."""

    endpoint: int
    kind: str
    statement_id: int
    statement: str | None
    frame: Frame | None
    transactions: int
    count: int
    cost_ns: int
    cost_bytes: int
    text: str
    example: int
    """the transaction it cost most"""

    def evidence(self, endpoint_ns: int) -> Evidence:
        """The typical transaction that has it; `endpoint_ns` is all time of the endpoint."""
        calls = max(1, self.transactions)
        return Evidence(
            kind=self.kind,
            # A share of one call's time: said so, because other calls may spend theirs elsewhere.
            text=f"in the costliest call {self.text}" if self.kind == "hot_line" else self.text,
            count=max(1, round(self.count / calls)),
            cost_ns=self.cost_ns / calls,
            cost_bytes=self.cost_bytes / calls,
            share=min(1.0, self.cost_ns / endpoint_ns) if endpoint_ns else 0.0,
            where=self.frame,
            statement=self.statement,
        )


def findings(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, endpoint: int | None = None
) -> dict[int, list[Finding]]:
    """Findings by endpoint, the costliest first."""
    sql, parameters = select("insight_rollups", _COLUMNS, window.pieces(), releases, endpoint)
    # With one max() in it SQLite takes the other bare columns, text and transaction, from the row of the
    # maximum.
    rows = connection.rows(
        "SELECT endpoint_id, kind, statement_id, frame_id, sum(transactions), sum(count), sum(cost_ns),"
        f" sum(cost_bytes), text, transaction_id, max(cost_max_ns) FROM ({sql})"
        " GROUP BY endpoint_id, kind, statement_id, frame_id",
        parameters,
    )
    frames = names.frames(connection, {row[3] for row in rows})
    texts = names.statements(connection, {row[2] for row in rows})
    found: dict[int, list[Finding]] = defaultdict(list)
    for at, kind, statement, frame, transactions, count, cost, size, text, example, _ in rows:
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
    return {at: sorted(_told(each), key=weight, reverse=True) for at, each in found.items()}


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


#: A byte kept weighs as much as so many nanoseconds: a megabyte as 20 ms.
_NS_A_BYTE = 20
#: A hot line says where, other kinds say why as well: it must take twice the time to stand before them.
_HOT_LINE = 0.5


def weight(found: Finding) -> float:
    """What findings are ranked by: their cost in the window."""
    return found.cost_ns * (_HOT_LINE if found.kind == "hot_line" else 1.0) + found.cost_bytes * _NS_A_BYTE
