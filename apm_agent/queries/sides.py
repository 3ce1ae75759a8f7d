"""One side of a comparison: a window, a release, a transaction or a whole store, and what each can be asked.

range:6h  range:FROM..TO (Unix seconds or ISO 8601)  before:6h (as long, just before)  release:1.4.0  tx:ID
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from apm_agent.errors import QuestionError
from apm_agent.model.histogram import Histogram
from apm_agent.model.transaction import KINDS, TIMED_KINDS
from apm_agent.queries import detail, missing
from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.profile import Profiled, by_endpoint, of_transaction, pieces_of
from apm_agent.queries.ran import Ran, by_text
from apm_agent.queries.rollups import Measured, Totals, cells, measure, totals
from apm_agent.queries.rows import COLUMNS, TABLES, listed
from apm_agent.queries.scope import Endpoint, check_kind, scope_of, select
from apm_agent.queries.summed import summed
from apm_agent.queries.units import hex_id, parse_id
from apm_agent.queries.window import ROLLUPS, Window, cover, of_range, parse

GRAMMAR = "range:6h, range:FROM..TO, before:6h, release:VERSION or tx:ID"
#: How far back a release is looked for, unless the question says.
RELEASE_RANGE = "7d"
#: Rollups read at most to see how figures scatter: of more endpoints calls are taken as independent.
_MOST_CELLS = 60_000
_DAY = 86400
_KIND_AT, _NS_AT, _SELF_AT, _STATEMENT_AT, _FRAME_AT = 1, 4, 5, 6, 7


class Wanted(NamedTuple):
    """Of which endpoints: empty means any."""

    name: str = ""
    kind: str = ""
    service: str = ""

    def admits(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint is one of them; long connections only when they are asked for."""
        kinds = (self.kind,) if self.kind else KINDS if self.name else TIMED_KINDS
        return (
            endpoint.kind in kinds
            and (not self.name or endpoint.name == self.name)
            and (not self.service or endpoint.service == self.service)
        )


ALL = Wanted()


class WindowSide:
    """The transactions of a window, of all releases or of one."""

    one = False

    def __init__(
        self,
        connection: Connection,
        label: str,
        window: Window,
        wanted: Wanted = ALL,
        release: str | None = None,
    ) -> None:
        check_kind(wanted.kind)
        scope = scope_of(connection, wanted.service, release or "")
        if release is not None and not scope.releases:
            raise QuestionError(f"there is no release {release[:60]!r} in the store; {_known(connection)}")
        self.label = label
        self.window = window
        self._connection = connection
        self._release = release
        self._releases = scope.releases
        self._endpoints = {key: each for key, each in scope.endpoints.items() if wanted.admits(each)}
        #: the one endpoint it is about
        self.subject = _subject(next(iter(self._endpoints.values()), None)) if wanted.name else None

    def described(self) -> dict[str, Any]:
        """What it is, for the answer."""
        return {
            "label": self.label,
            "from": float(self.window.start),
            "to": float(self.window.end),
            "transaction": None,
            "release": self._release,
            "trace": None,
            "endpoint": self.subject,
        }

    def measured(self) -> list[tuple[Endpoint, Measured]]:
        """Sums and durations by endpoint."""
        found = measure(self._connection, self.window, self._releases)
        return [(self._endpoints[key], each) for key, each in found.items() if key in self._endpoints]

    def cells(self) -> dict[int, Measured]:
        """All of them together by minute, or by hour in a window of a day and more; nothing where they are too many."""
        unit = self.window.unit()
        start, end = self.window.start // unit * unit, math.ceil(self.window.end / unit) * unit
        if len(self._endpoints) * (end - start) // unit > _MOST_CELLS:
            return {}
        return cells(self._connection, [(unit, start, end)], self._releases, frozenset(self._endpoints))

    def profiled(self) -> list[Profiled]:
        """Samples by endpoint, and the transactions that lie in the very rollups the samples were read from."""
        found = by_endpoint(self._connection, self.window, self._endpoints, self._releases)
        return [Profiled(found.get(key, []), calls) for key, calls in self._profiled_calls().items()]

    def statements(self) -> dict[str, Ran]:
        """What ran, by its text."""
        keys, sums = ("endpoint_id", "statement_id", "frame_id"), ("count", "duration_ns")
        rows = summed(self._connection, self.window, "statement_rollups", keys, sums, self._releases)
        return by_text(self._connection, [row[1:] for row in rows if row[0] in self._endpoints])

    def profile_span(self) -> tuple[int, int] | None:
        """Profiles are kept by ten minutes and not as long as sums: their edges and their first row decide."""
        pieces = pieces_of(self.window)
        if not pieces:
            return None
        sql, parameters = select("profiles", "t", pieces, None)
        first = self._connection.row(f"SELECT min(t) FROM ({sql})", parameters)
        if first is None or first[0] is None:
            return None
        return max(first[0], min(start for _, start, _ in pieces)), max(end for _, _, end in pieces)

    def _profiled_calls(self) -> dict[int, int]:
        span = self.profile_span()
        if span is None:
            return {}
        counted = totals(self._connection, cover(*span, ROLLUPS), self._releases)
        return {key: each.count for key, each in counted.items() if key in self._endpoints}


class TransactionSide:
    """One transaction."""

    one = True

    def __init__(self, connection: Connection, label: str, number: int) -> None:
        row = connection.row(f"SELECT {COLUMNS} FROM {TABLES} WHERE x.id = ?", (number,))
        if row is None:
            raise missing.transaction(number)
        self.label = label
        self._connection = connection
        self._number = number
        self._row: Row = row
        known = scope_of(connection).endpoints
        self._endpoint = known.get(row[1]) or Endpoint(row[1], "", "", "(forgotten)", None)
        self.subject = _subject(self._endpoint)

    def described(self) -> dict[str, Any]:
        """What it is, for the answer."""
        started = self._row[2] / 1e9
        return {
            "label": self.label, "from": started, "to": started + self._row[3] / 1e9,
            "transaction": hex_id(self._number), "release": self._row[23] or None,
            "trace": listed(self._row, {self._endpoint.id: self._endpoint}), "endpoint": self.subject,
        }  # fmt: skip

    def spans(self) -> dict[str, tuple[int, int]]:
        """How many spans of each kind, and their own nanoseconds; nothing when its detail was not kept."""
        found: dict[str, tuple[int, int]] = {}
        document = self._document()
        rows = [(span[_KIND_AT], 1, span[_SELF_AT]) for span in document.get("spans") or ()]
        for kind, count, ns in [*rows, *((kind, n, ns) for kind, _, n, ns in document.get("lost") or ())]:
            spans, own = found.get(kind, (0, 0))
            found[kind] = spans + count, own + ns
        return found

    def measured(self) -> list[tuple[Endpoint, Measured]]:
        """The transaction as the sums of one."""
        row = self._row
        duration, failed, cpu, queue, before, after, overlap, queries = (
            row[3],
            row[5],
            row[9],
            row[10],
            *row[12:16],
        )
        exclusive = before is not None and after is not None and not overlap
        sums = Totals(
            1, failed, duration, duration, cpu or 0, cpu is not None, queue or 0, queue is not None,
            after - before if exclusive else 0, exclusive, queries, *row[16:22],
        )  # fmt: skip
        return [(self._endpoint, Measured(sums, Histogram([duration])))]

    def profile_span(self) -> tuple[int, int] | None:
        """Its samples are its own."""
        return None

    def cells(self) -> dict[int, Measured]:
        """One call does not scatter."""
        return {}

    def profiled(self) -> list[Profiled]:
        """Its samples; none when its detail was not kept."""
        found = of_transaction(self._connection, self._number)
        return [found] if found is not None else []

    def statements(self) -> dict[str, Ran]:
        """What it ran, by its text; nothing when its detail was not kept."""
        spans = self._document().get("spans") or ()
        return by_text(
            self._connection,
            [
                (span[_STATEMENT_AT], span[_FRAME_AT] or 0, 1, span[_NS_AT])
                for span in spans
                if span[_STATEMENT_AT]
            ],
        )

    def _document(self) -> dict[str, Any]:
        blob = self._connection.row("SELECT data FROM traces WHERE transaction_id = ?", (self._number,))
        return detail.unpack(blob[0]) if blob else {}


Side = WindowSide | TransactionSide


def side(connection: Connection, text: str, wanted: Wanted = ALL, span: Window | None = None) -> Side:
    """The side a text of `GRAMMAR` names; `span` is where a release is looked for."""
    kind, colon, value = text.partition(":")
    make = _KINDS.get(kind)
    if make is None or not colon or not value:
        raise QuestionError(f"{text[:60]!r} is nothing to compare: write {GRAMMAR}")
    return make(connection, text, value, wanted, span)


def whole(connection: Connection, label: str, wanted: Wanted = ALL) -> Side:
    """All that a store holds."""
    row = connection.row("SELECT min(t), max(t) FROM rollups WHERE resolution = ?", (ROLLUPS[-1],))
    if row is None or row[0] is None:
        raise QuestionError(f"the store {label} holds no transactions")
    return WindowSide(connection, label, Window(row[0], row[1] + _DAY, None, False), wanted)


def _of_range(connection: Connection, text: str, value: str, wanted: Wanted, span: Window | None) -> Side:
    start, dots, end = value.partition("..")
    window = parse({"from": start, **({"to": end} if end else {})}) if dots else of_range(value)
    return WindowSide(connection, text, window, wanted)


def _before(connection: Connection, text: str, value: str, wanted: Wanted, span: Window | None) -> Side:
    return WindowSide(connection, text, of_range(value).previous(), wanted)


def _of_release(connection: Connection, text: str, value: str, wanted: Wanted, span: Window | None) -> Side:
    return WindowSide(connection, text, span or of_range(RELEASE_RANGE, time.time()), wanted, value)


def _of_transaction(
    connection: Connection, text: str, value: str, wanted: Wanted, span: Window | None
) -> Side:
    return TransactionSide(connection, text, parse_id(value))


_KINDS: dict[str, Callable[[Connection, str, str, Wanted, Window | None], Side]] = {
    "range": _of_range,
    "before": _before,
    "release": _of_release,
    "tx": _of_transaction,
}


def _subject(endpoint: Endpoint | None) -> dict[str, Any] | None:
    return None if endpoint is None else {
        "name": endpoint.name, "kind": endpoint.kind, "service": endpoint.service, "method": endpoint.method,
        "route": endpoint.route,
    }  # fmt: skip


def _known(connection: Connection) -> str:
    rows = connection.rows(
        "SELECT DISTINCT version FROM releases WHERE version != '' ORDER BY first_seen DESC LIMIT 8"
    )
    versions = ", ".join(repr(row[0][:40]) for row in rows)
    return f"there are {versions}" if versions else "there are none"
