"""Which statement costs most: one row a statement of a window, over all endpoints that send it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from apm_agent.errors import QuestionError
from apm_agent.model.profile import Frame
from apm_agent.model.statement import summary
from apm_agent.queries import names
from apm_agent.queries.connection import Connection
from apm_agent.queries.endpoints import releases
from apm_agent.queries.scope import Endpoint, Scope, scope_of, select
from apm_agent.queries.standing import NONE, Ran, kept_runs, standings
from apm_agent.queries.summed import summed
from apm_agent.queries.units import mean, millis
from apm_agent.queries.window import Window

_KEYS = ("statement_id", "endpoint_id", "frame_id")
_SUMS = ("count", "duration_ns", "duration_max_ns", "transactions")
_MOST_NAMED = 3
_REPEATED = "repeated_query"


class Sent(NamedTuple):
    """Runs of one statement by one endpoint from one line; `frame` 0: from no line of own code that is known."""

    endpoint: int
    frame: int
    runs: int
    duration_ns: int
    longest_ns: int
    transactions: int


class Sums(NamedTuple):
    """All runs of one statement."""

    statement: int
    runs: int
    duration_ns: int
    longest_ns: int
    senders: tuple[Sent, ...]
    #: Its largest share of the time of an endpoint that sends it; None: not known.
    of_endpoint: float | None = None
    #: The calls it was slow in ÷ the calls that ran it.
    slow: float = 0.0

    @property
    def mean_ns(self) -> float:
        return mean(self.duration_ns, self.runs) or 0.0


class Page(NamedTuple):
    """The part of the list that is asked for."""

    sort: str = "total"
    text: str = ""
    limit: int = 200
    offset: int = 0


_SORTS: dict[str, Callable[[Sums], float]] = {
    "total": lambda row: -row.duration_ns,
    "runs": lambda row: -row.runs,
    "mean": lambda row: -row.mean_ns,
    "max": lambda row: -row.longest_ns,
    "endpoints": lambda row: -len({sent.endpoint for sent in row.senders}),
    "bottleneck": lambda row: -(row.of_endpoint or 0.0),
    "slow": lambda row: -row.slow,
}
SORTS = tuple(_SORTS)


def statements(
    connection: Connection, window: Window, page: Page, service: str = "", release: str = ""
) -> dict[str, Any]:
    """One page of statements, and the totals of all that match."""
    if page.sort not in _SORTS:
        raise QuestionError(f"sort={page.sort[:40]!r} is not one of {', '.join(SORTS)}")
    scope = scope_of(connection, service, release)
    every = sums(connection, window, scope)
    texts = names.statements(connection, [row.statement for row in every]) if page.text else {}
    wanted = page.text.casefold()
    found = [row for row in every if not wanted or wanted in texts.get(row.statement, "").casefold()]
    found.sort(key=lambda row: (_SORTS[page.sort](row), -row.duration_ns, row.statement))
    shown = found[page.offset : page.offset + page.limit]
    more = len(found) > page.offset + page.limit
    everything = sum(row.duration_ns for row in every)
    senders = list(dict.fromkeys(row.senders[0].endpoint for row in shown))
    kept = kept_runs(connection, window, scope, senders)
    return {
        "queries": rows(connection, window, scope, shown, everything, kept),
        "total": {
            "count": len(found),
            "runs": sum(row.runs for row in found),
            "total_ms": millis(sum(row.duration_ns for row in found)),
        },
        "cursor": str(page.offset + page.limit) if more else None,
        "services": sorted({endpoint.service for endpoint in scope_of(connection).endpoints.values()}),
        "releases": releases(connection, service),
    }


def sums(connection: Connection, window: Window, scope: Scope) -> list[Sums]:
    """All statements that endpoints of the scope sent in the window."""
    found = summed(connection, window, "statement_rollups", _KEYS, _SUMS, scope.releases)
    senders: dict[int, list[Sent]] = defaultdict(list)
    for number, *sent in found:
        if number and sent[0] in scope.endpoints:
            senders[number].append(Sent(*sent))
    lines = {
        number: [(each.endpoint, each.duration_ns, each.transactions) for each in sent]
        for number, sent in senders.items()
    }
    stands = standings(connection, window, scope, lines)
    return [
        _summed(number, sent)._replace(of_endpoint=standing.of_endpoint, slow=standing.slow)
        for number, sent in senders.items()
        for standing in (stands[number],)
    ]


def rows(  # noqa: PLR0917  (what is shown comes before what is known of it)
    connection: Connection,
    window: Window,
    scope: Scope,
    shown: list[Sums],
    everything_ns: int,
    kept: dict[int, Ran],
) -> list[dict[str, Any]]:
    """Statements as the API writes them; `share` is of the time of all statements."""
    texts = names.statements(connection, [row.statement for row in shown])
    frames = names.frames(connection, {sent.frame for row in shown for sent in row.senders[:_MOST_NAMED]})
    repeated = _repeated(connection, window, scope)
    return [
        {
            **_figures(row, texts.get(row.statement, "(forgotten)"), window, everything_ns),
            **kept.get(row.statement, NONE).figures(),
            "endpoints": _endpoints(row, scope.endpoints),
            "endpoint_count": len({sent.endpoint for sent in row.senders}),
            "where": _places(row, frames),
            "places": len({sent.frame for sent in row.senders if sent.frame}),
            "flags": ["n+1"] if row.statement in repeated else [],
        }
        for row in shown
    ]


def _figures(row: Sums, text: str, window: Window, everything_ns: int) -> dict[str, Any]:
    return {
        "id": str(row.statement),
        "text": text,
        "summary": summary(text),
        "runs": row.runs,
        "per_min": round(row.runs / window.minutes, 3),
        "runs_per_call": round(max(runs_per_call(sent) for sent in row.senders), 3),
        "total_ms": millis(row.duration_ns),
        "mean_ms": millis(row.mean_ns),
        "max_ms": millis(row.longest_ns),
        "share": round(row.duration_ns / everything_ns, 6) if everything_ns else 0.0,
        "endpoint_share": None if row.of_endpoint is None else round(row.of_endpoint, 6),
        "slow_share": round(row.slow, 6),
    }


def runs_per_call(sent: Sent) -> float:
    """Runs in each transaction that ran it at all, from this line."""
    return mean(sent.runs, sent.transactions) or 0.0


def _endpoints(row: Sums, endpoints: dict[int, Endpoint]) -> list[dict[str, Any]]:
    """The endpoints that spend most time in it."""
    spent: dict[int, int] = defaultdict(int)
    for sent in row.senders:
        spent[sent.endpoint] += sent.duration_ns
    first = sorted(spent, key=lambda key: (-spent[key], key))[:_MOST_NAMED]
    return [
        {"name": endpoints[key].name, "kind": endpoints[key].kind, "service": endpoints[key].service}
        for key in first
    ]


def _places(row: Sums, frames: dict[int, Frame]) -> list[dict[str, Any]]:
    """The lines that send it most, as far as they are known."""
    first = dict.fromkeys(sent.frame for sent in row.senders[:_MOST_NAMED])
    return [place for place in (names.where(frames.get(frame)) for frame in first) if place]


def _repeated(connection: Connection, window: Window, scope: Scope) -> set[int]:
    """Statements that a transaction of the window ran over and over."""
    columns = "endpoint_id, kind, statement_id"
    sql, parameters = select("insight_rollups", columns, window.pieces(), scope.releases)
    found = connection.rows(
        f"SELECT DISTINCT statement_id, endpoint_id FROM ({sql}) WHERE kind = ?", [*parameters, _REPEATED]
    )
    return {statement for statement, endpoint in found if endpoint in scope.endpoints}


def _summed(statement: int, sent: Iterable[Sent]) -> Sums:
    ranked = tuple(sorted(sent, key=lambda each: (-each.duration_ns, each.endpoint, each.frame)))
    return Sums(
        statement,
        sum(each.runs for each in ranked),
        sum(each.duration_ns for each in ranked),
        max(each.longest_ns for each in ranked),
        ranked,
    )
