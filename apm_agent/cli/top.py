"""`apm-agent top`: what runs now, by function or by endpoint, as a table that renews itself each second."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import click

from apm_agent.cli import asking, place, screen
from apm_agent.exporters.naming import visible
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.phrases import duration
from apm_agent.queries.top import EndpointRow, FunctionRow, Reading, Readings, Table, between

_EACH = 1.0
FUNCTIONS, ENDPOINTS = "functions", "endpoints"
_HELP = "f functions · e endpoints · s sort · q quit"

Sort = tuple[str, Callable[[Any], Any]]
#: What `s` goes through, for each view.
SORTS: dict[str, tuple[Sort, ...]] = {
    FUNCTIONS: (
        ("own time", lambda row: (-row.own_ns, -row.total_ns)),
        ("total time", lambda row: (-row.total_ns, -row.own_ns)),
    ),
    ENDPOINTS: (
        ("time taken", lambda row: (-(row.mean_ms or 0) * row.calls, -row.in_flight)),
        ("calls", lambda row: -row.calls),
        ("p95", lambda row: -(row.p95_ms or 0)),
        ("in flight", lambda row: (-row.in_flight, -(row.oldest_ms or 0))),
    ),
}


@click.command("top")
@click.option(
    "--seconds", type=click.FloatRange(1, 60), default=5, show_default=True, help="Over how many seconds."
)
@click.option(
    "--once", is_flag=True, help="Print both tables once; so it is where the output is no terminal."
)
@click.option("--store", help="The store: a URL, or the path of a file.")
def command(seconds: float, once: bool, store: str | None) -> None:
    """Show what runs now, by function and by endpoint, in all processes of the store.

    Functions: every sample of the last seconds, also of requests that have not ended; own time and total time as shares
    of all of it. Endpoints: calls that ended in these seconds. Keys: f, e, s, q.
    """
    with connect(place.readable(store)) as connection:
        if once or not screen.usable():
            click.echo("\n".join(_printed(connection, seconds)))
            return
        with screen.Screen() as shown:
            try:
                _watch(connection, seconds, shown)
            except (KeyboardInterrupt, EOFError):
                return


def _printed(connection: Connection, seconds: float) -> Iterator[str]:
    readings = Readings(connection)
    asked = asking.Asking(connection.path)
    asked.wait(asking.ANSWERED)
    connection.renew()
    first = readings.take()
    asked.wait(seconds)
    connection.renew()
    table = between(first, readings.take())
    yield from _head(table)
    for view in (ENDPOINTS, FUNCTIONS):
        yield ""
        yield from _lines(table, view, 0, 120, 30)


def _watch(connection: Connection, seconds: float, shown: screen.Screen) -> None:
    readings = Readings(connection)
    asked = asking.Asking(connection.path)
    kept: deque[Reading] = deque([readings.take()])
    view, sorts = FUNCTIONS, {FUNCTIONS: 0, ENDPOINTS: 0}
    due = time.monotonic()
    while True:
        if time.monotonic() >= due:
            due = time.monotonic() + _EACH
            asked.renew()
            connection.renew()
            kept.append(readings.take())
            while len(kept) > 2 and kept[-1].at - kept[1].at >= seconds:
                kept.popleft()
        table = between(kept[0], kept[-1])
        columns, rows = shown.size()
        head = list(_head(table))
        shown.draw([*head, *_lines(table, view, sorts[view], columns - 1, rows - len(head) - 1)], len(head))
        key = shown.key(due - time.monotonic())[:1].lower()
        if key == "q":
            return
        if key in ("f", "e"):
            view = FUNCTIONS if key == "f" else ENDPOINTS
        elif key == "s":
            sorts[view] = (sorts[view] + 1) % len(SORTS[view])


def _head(table: Table) -> Iterator[str]:
    busy = (
        f"{table.busy:.1f} threads at work"
        if table.busy is not None
        else "no worker answers: idle, or only very short transactions"
    )
    yield (
        f"apm-agent top · last {table.seconds:.0f} s · {table.processes} processes · {busy} · "
        f"{table.in_flight} in flight"
    )
    yield _HELP


def _lines(table: Table, view: str, sort: int, width: int, most: int) -> Iterator[str]:
    """The title of the table and its rows."""
    name, key = SORTS[view][sort]
    if view == FUNCTIONS:
        yield f"{'own':>7} {'total':>7}  function, by {name}"
        for function in sorted(table.functions, key=key)[:most]:
            yield _function(function)[:width]
    else:
        columns = f"{'calls/s':>8} {'mean':>9} {'p95':>9} {'failed':>6} {'in flight':>9} {'oldest':>9}"
        yield f"{columns}  endpoint, by {name}"
        for endpoint in sorted(table.endpoints, key=key)[:most]:
            yield _endpoint(endpoint)[:width]


def _function(row: FunctionRow) -> str:
    return f"{row.own:>7.1%} {row.total:>7.1%}  {visible(row.function)} ({visible(row.file)})"


def _endpoint(row: EndpointRow) -> str:
    figures = (
        f"{row.per_s:>8.1f} {_ms(row.mean_ms):>9} {_ms(row.p95_ms):>9} {row.errors:>6} {row.in_flight:>9} "
        f"{_ms(row.oldest_ms):>9}"
    )
    return f"{figures}  {visible(row.name) or '(unnamed)'}"


def _ms(value: float | None) -> str:
    return "–" if value is None else duration(value * 1e6)
