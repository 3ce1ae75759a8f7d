"""`apm-agent ship`: takes finished transactions from the store elsewhere, to any OpenTelemetry collector over OTLP.

Beside the application, not in it: the agent opens no socket. Each transaction is sent once while this runs; what a
collector cannot take now is tried again, and nothing is sent a second time for the rest of a batch.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

import click

from apm_agent import __version__
from apm_agent.cli import forwarding, place, posting
from apm_agent.errors import ApmError, ConfigError
from apm_agent.exporters import otlp
from apm_agent.queries import window
from apm_agent.queries.connection import connect
from apm_agent.queries.shipping import LONGEST_NS, load, waiting

_BATCH = 200
#: Writers hold back what they cannot write at once: so far back is looked for what came late, in ns.
_LATE_NS = 600 * 10**9
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_TRIES_ONCE = 5
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
_DEFAULT, _DEFAULT_GRPC = "http://localhost:4318", "http://localhost:4317"


@click.command("ship")
@click.argument("target", required=False)
@click.option(
    "--to", "url", help=f"The collector's address for traces; else {_TRACES} or {_ENDPOINT} say it."
)
@click.option(
    "--protocol",
    type=click.Choice(list(posting.PROTOCOLS)),
    default="http",
    show_default=True,
    help="How it is spoken; grpc needs the library grpcio.",
)
@click.option(
    "--header", "headers", multiple=True, help=f"NAME=VALUE sent with each request; else {_HEADERS}."
)
@click.option(
    "--range", "span", default="", help="First ship what ended so far back: 15m, 1h, 6h, 24h or 7d."
)
@click.option("--once", is_flag=True, help="End when nothing is left, instead of going on with what comes.")
@click.option(
    "--each",
    type=click.FloatRange(0.1, 300),
    default=5.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--cluster", help="Print how the tables are made on a cluster of TARGET, and end.")
@click.option("--store", help="The store: a URL, or the path of a file.")
def command(  # noqa: PLR0917  (click gives them by name)
    target: str | None,
    url: str | None,
    protocol: str,
    headers: tuple[str, ...],
    span: str,
    once: bool,
    each: float,
    cluster: str | None,
    store: str | None,
) -> None:
    """Send finished transactions to an OpenTelemetry collector (OTLP over HTTP or gRPC), each once.

    With a TARGET like clickhouse://user:password@host:8123/database all that the store holds goes there instead, and
    on from where it was the last time (docs/many-machines.md).

    \b
    apm-agent ship --to http://localhost:4318/v1/traces
    apm-agent ship --range 1h --once
    apm-agent ship clickhouse://apm@db.example.com:8123/apm
    """
    if cluster is not None:
        click.echo(forwarding.tables(target or "", cluster))
        return
    if target is not None:
        forwarding.forward(target, place.readable(store), each, once)
        return
    collector = _target(url, protocol)
    sender = Sender(collector, posting.PROTOCOLS[protocol](collector, _read_headers(headers)))
    since = window.of_range(span or "1h").start_ns if span or once else time.time_ns()
    source = place.readable(store)
    click.echo(f"apm-agent ▸ shipping {place.shown(source)} to {posting.shown(collector)}", err=True)
    shipped: dict[int, None] = {}
    try:
        while True:
            _ship(source, since, shipped, sender, _TRIES_ONCE if once else None)
            if once:
                click.echo(f"apm-agent ▸ shipped {sender.sent} transactions", err=True)
                return
            # What is older than this is looked for no more, and need not be remembered.
            since = max(since, time.time_ns() - _LATE_NS)
            _forget(shipped, since - LONGEST_NS)
            time.sleep(each)
    except KeyboardInterrupt:
        click.echo(f"apm-agent ▸ shipped {sender.sent} transactions", err=True)


def _ship(source: str, since: int, shipped: dict[int, None], sender: Sender, tries: int | None) -> None:
    while True:
        with connect(source) as connection:
            ids = waiting(connection, since, shipped, _BATCH)
            transactions = load(connection, ids)
        if not ids:
            return
        if transactions:
            sender.send(otlp.encode(transactions, __version__), len(transactions), tries)
        shipped.update(dict.fromkeys(ids))


def _forget(shipped: dict[int, None], before_ns: int) -> None:
    # An id begins with its start, in units of 2^20 ns above 21 random bits.
    oldest = (before_ns >> 20) << 21
    for number in [number for number in shipped if number < oldest]:
        del shipped[number]


class Sender:
    """Posts one body after the other, and waits while the collector says that it cannot take them now."""

    def __init__(self, url: str, post: posting.Post) -> None:
        self._url = url
        self._post = post
        #: transactions a collector has taken
        self.sent = 0

    def send(self, body: bytes, count: int, tries: int | None) -> None:
        """Raises `ApmError` when the collector refuses the body, or has not answered after so many tries."""
        pause = _FIRST_PAUSE
        tried = 0
        while True:
            tried += 1
            told, wait = self._post(body)
            if told is None:
                self.sent += count
                return
            if tries is not None and tried >= tries:
                raise ApmError(
                    f"the collector at {posting.shown(self._url)} took nothing after {tried} tries: {told}"
                )
            if tried == 1:
                click.echo(f"apm-agent ▸ waiting for the collector: {told}", err=True)
            time.sleep(pause if wait is None else min(wait, _LONGEST_PAUSE))
            pause = min(2 * pause, _LONGEST_PAUSE)


def _target(option: str | None, protocol: str) -> str:
    base = os.environ.get(_ENDPOINT, "").rstrip("/")
    usual = (base or _DEFAULT_GRPC) if protocol == "grpc" else f"{base or _DEFAULT}/v1/traces"
    url = option or os.environ.get(_TRACES) or usual
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"--to {url!r} is no address of HTTP; it must look like {_DEFAULT}/v1/traces")
    return url


def _read_headers(options: Iterable[str]) -> dict[str, str]:
    return read_pairs(
        list(options) or [unquote(each) for each in os.environ.get(_HEADERS, "").split(",") if each.strip()]
    )


def read_pairs(given: Iterable[str], what: str = "header") -> dict[str, str]:
    """NAME=VALUE each; raises `ConfigError` for what is not."""
    made = {}
    for each in given:
        name, mark, value = each.partition("=")
        if not mark or not name.strip():
            raise ConfigError(f"the {what} {name[:40]!r} has no value; it must look like NAME=VALUE")
        made[name.strip()] = value.strip()
    return made
