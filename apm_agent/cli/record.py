"""`apm-agent record`: the profile of the next seconds, in the format that the file's name says."""

from __future__ import annotations

import time
from pathlib import Path

import click

from apm_agent.cli import place
from apm_agent.errors import QuestionError
from apm_agent.exporters import EXPORTERS, write
from apm_agent.model.profile import Profile
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.during import Counters, profiled
from apm_agent.queries.health import flush_interval
from apm_agent.queries.profile import Profiled
from apm_agent.queries.scope import one_endpoint, scope_of

#: Formats that need more than samples cannot be recorded.
FORMATS = [name for name, row in EXPORTERS.items() if "profile" in row.takes]
#: Beyond the flush interval: a batch is being written.
_SLACK = 0.5


class Recorded:
    """What an exporter asks of its subject: samples, and nothing that was measured call by call."""

    prefers = "profile"

    def __init__(self, found: Profiled) -> None:
        self._found = found

    def profile(self) -> Profile:
        """Nanoseconds by stack."""
        return self._found.profile()

    def callgraph(self) -> None:
        """None: samples count no calls."""

    def record(self) -> None:
        """None: many transactions have no order."""


@click.command("record")
@click.option(
    "--seconds", type=click.FloatRange(1, 3600), default=30, show_default=True, help="For how long."
)
@click.option("--endpoint", default="", help='Only this one, like "GET /orders", or the name of a job.')
@click.option("--kind", default="", help="web, background, websocket or stream, where a name is both.")
@click.option("--service", default="", help="Only this service.")
@click.option(
    "-o", "--output", required=True, help="flame.html, x.speedscope.json, x.folded, x.pprof.pb.gz, x.txt, …"
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="The format, where the file's name does not say."
)
@click.option("--store", help="The store: a URL, or the path of a file.")
def command(  # noqa: PLR0917  (click gives them by name)
    seconds: float, endpoint: str, kind: str, service: str, output: str, form: str | None, store: str | None
) -> None:
    """Profile the running application for some seconds and write the result to a file.

    It is the profile of the transactions that end in these seconds, whole; what is still in flight at the end is not
    in it (`apm-agent dump` shows it). Ctrl-C ends it early.
    """
    form = form or format_of(output)
    with connect(place.readable(store)) as connection:
        wanted = _endpoints(connection, endpoint, kind, service)
        counters = Counters(connection)
        before = counters.stacks(_now(connection, wanted, service))
        counted = counters.endpoints()
        began = time.monotonic()
        click.echo(f"apm-agent ▸ recording {seconds:g} s · Ctrl-C ends it early", err=True)
        _sleep(seconds)
        took = time.monotonic() - began
        _sleep(flush_interval(connection) + _SLACK)  # what ended by now is then written
        connection.renew()
        now = _now(connection, wanted, service)
        after = counters.endpoints()
        calls = sum(after[each].since(counted.get(each)).count for each in now if each in after)
        found = profiled(connection, before, counters.stacks(now), calls)
    if not found.stacks:
        raise QuestionError(
            f"nothing was sampled in {took:.0f} s: {calls} transactions ended. Is there traffic, and does this "
            "store belong to it? `apm-agent dump` shows what is in flight."
        )
    _put(output, write(form, Recorded(found)))
    click.echo(
        f"{output}: {calls:,} transactions, {found.samples:,} samples, {found.total_ns / 1e9:.1f} s of work",
        err=True,
    )


def format_of(output: str) -> str:
    """The format that a file's name says: its ending in the table of formats, or a part of it between dots."""
    name = Path(output).name.lower()
    fit = [form for form in FORMATS if name.endswith(EXPORTERS[form].ending)]
    fit = fit or [form for form in FORMATS if form in name.split(".")[1:]]
    if not fit:
        endings = ", ".join(EXPORTERS[form].ending for form in FORMATS)
        raise click.UsageError(f"{output!r} names no format: end it in one of {endings}, or give --format.")
    return max(fit, key=lambda form: len(EXPORTERS[form].ending))


def _endpoints(connection: Connection, name: str, kind: str, service: str) -> list[int] | None:
    """The one endpoint; None for all there are, also those that are not known yet."""
    if not name:
        return None
    found = one_endpoint(connection, name, kind, service)
    if found is None:
        raise QuestionError(
            f"there is no endpoint {name[:100]!r} in the store; `apm-agent dashboard` lists them"
        )
    return [found.id]


def _now(connection: Connection, wanted: list[int] | None, service: str) -> list[int]:
    return list(scope_of(connection, service).endpoints) if wanted is None else wanted


def _sleep(seconds: float) -> None:
    try:
        time.sleep(seconds)
    except KeyboardInterrupt:
        click.echo("", err=True)


def _put(output: str, data: bytes) -> None:
    try:
        Path(output).write_bytes(data)
    except OSError as error:
        raise click.UsageError(
            f"{output!r} cannot be written: {error.strerror}; name another with -o."
        ) from None
