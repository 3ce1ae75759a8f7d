"""How a statement stands where it is sent: its share of an endpoint's time, how always it is slow, its p95 and rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from apm_agent.errors import StoreError
from apm_agent.queries import detail
from apm_agent.queries.connection import Connection
from apm_agent.queries.rollups import totals
from apm_agent.queries.scope import Scope, select
from apm_agent.queries.units import mean, ms
from apm_agent.queries.window import Window

_SLOW = "slow_query"
#: Kept transactions whose detail is looked into, and the endpoints they are of.
_MOST_DETAILS, _MOST_ENDPOINTS = 100, 20
#: Fewer runs have no p95.
ENOUGH = 20


class Standing(NamedTuple):
    """Of one statement in a window; None is not known."""

    #: The largest share it has of the time of an endpoint that sends it.
    of_endpoint: float | None
    #: The calls it was slow in ÷ the calls that ran it.
    slow: float


def standings(
    connection: Connection, window: Window, scope: Scope, sent: Mapping[int, Iterable[tuple[int, int, int]]]
) -> dict[int, Standing]:
    """By statement; `sent` is its endpoint, its time there and the calls that ran it, a line each."""
    spent = totals(connection, window.pieces(), scope.releases)
    slow = _slow_calls(connection, window, scope)
    found = {}
    for statement, lines in sent.items():
        by_endpoint: dict[int, int] = defaultdict(int)
        calls = 0
        for endpoint, duration_ns, transactions in lines:
            by_endpoint[endpoint] += duration_ns
            calls += transactions
        shares = [
            min(1.0, duration_ns / spent[endpoint].duration_ns)
            for endpoint, duration_ns in by_endpoint.items()
            if endpoint in spent and spent[endpoint].duration_ns
        ]
        found[statement] = Standing(
            max(shares, default=None), min(1.0, slow[statement] / calls) if calls else 0.0
        )
    return found


def _slow_calls(connection: Connection, window: Window, scope: Scope) -> dict[int, int]:
    columns = "endpoint_id, kind, statement_id, transactions"
    sql, parameters = select("insight_rollups", columns, window.pieces(), scope.releases)
    found: dict[int, int] = defaultdict(int)
    for endpoint, statement, transactions in connection.rows(
        f"SELECT endpoint_id, statement_id, sum(transactions) FROM ({sql}) WHERE kind = ?"
        " GROUP BY endpoint_id, statement_id",
        [*parameters, _SLOW],
    ):
        if endpoint in scope.endpoints:
            found[statement] += transactions
    return found


class Ran(NamedTuple):
    """Runs of one statement in kept transactions: how long each took, and how many rows it said it had."""

    durations: list[int]
    rows: list[int]

    def add(self, span: Sequence[Any]) -> None:
        """One span of it, as it lies in the store."""
        self.durations.append(span[4])
        told = (span[8] or {}).get("rows")
        if isinstance(told, int):
            self.rows.append(told)

    def figures(self) -> dict[str, Any]:
        """As the API tells them."""
        return {
            "p95_ms": p95(sorted(self.durations)),
            "p95_runs": len(self.durations),
            "rows": None if not self.rows else round(mean(sum(self.rows), len(self.rows)) or 0.0, 1),
            "rows_runs": len(self.rows),
        }


#: What is known of a statement that no kept transaction ran.
NONE = Ran([], [])


def p95(ascending: list[int]) -> float | None:
    """In ms; None of fewer than 20 runs."""
    return ms(ascending[-(-len(ascending) * 95 // 100) - 1]) if len(ascending) >= ENOUGH else None


def kept_runs(
    connection: Connection, window: Window, scope: Scope, endpoints: Sequence[int]
) -> dict[int, Ran]:
    """By statement, of the newest kept transactions of some endpoints, of each as many."""
    asked = endpoints[:_MOST_ENDPOINTS]
    releases = scope.releases
    only = "" if releases is None else f" AND x.release_id IN ({', '.join('?' * len(releases))})"
    found: dict[int, Ran] = {}
    for endpoint in asked:
        for (data,) in connection.rows(
            "SELECT d.data FROM transactions x JOIN traces d ON d.transaction_id = x.id"
            f" WHERE x.endpoint_id = ? AND x.started_at >= ? AND x.started_at < ? AND x.kept IS NOT NULL{only}"
            " ORDER BY x.started_at DESC LIMIT ?",
            [endpoint, window.start_ns, window.end_ns, *(releases or ()), _MOST_DETAILS // len(asked)],
        ):
            for span in _spans(data):
                if span[6]:
                    found.setdefault(span[6], Ran([], [])).add(span)
    return found


def _spans(data: bytes) -> Sequence[Any]:
    try:
        return detail.unpack(data).get("spans") or ()
    except StoreError:
        return ()
