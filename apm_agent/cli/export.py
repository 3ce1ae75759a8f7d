"""`apm-agent export`: what the store holds, as a file of another tool, or a page as one file."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path

import click

from apm_agent.cli import parquet, place
from apm_agent.errors import QuestionError
from apm_agent.exporters import EXPORTERS, Format, write
from apm_agent.queries import window
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.scope import Scope, one_endpoint, scope_of
from apm_agent.queries.subject import Endpoints, OneTransaction, Subject
from apm_agent.queries.units import parse_id

#: Not a profile but a page of the dashboard, as one file; the transactions themselves.
PAGE, PARQUET = "page", "parquet"
_FILE = Format("apm_agent.web.saved", "text/html", ".html", opens="any browser, without a network")


@click.command("export")
@click.option("--endpoint", default="", help='Like "GET /orders", or the name of a job; else all of them.')
@click.option("--transaction", default="", help="One transaction, by the id that its page shows.")
@click.option(
    "--compare", nargs=2, default=None, help="Two sides as `apm-agent compare` takes them; for page."
)
@click.option(
    "--format",
    "form",
    type=click.Choice([*EXPORTERS, PAGE, PARQUET]),
    required=True,
    help="The format; page: a page as a file; parquet: the transactions of a window.",
)
@click.option(
    "-o", "--output", default="", help="The file; without it a text goes to the terminal, the rest to a name."
)
@click.option(
    "--range", "span", default="24h", show_default=True, help="How far back: 15m, 1h, 6h, 24h or 7d."
)
@click.option("--source", default="", help="profile or callgraph, where a format can be written from both.")
@click.option("--kind", default="", help="web, background, websocket or stream, where a name is both.")
@click.option("--service", default="", help="Only this service.")
@click.option("--release", default="", help="Only this release.")
@click.option("--store", help="The store: a URL, or the path of a file.")
def command(  # noqa: PLR0917  (click gives them by name)
    endpoint: str,
    transaction: str,
    compare: tuple[str, str] | None,
    form: str,
    output: str,
    span: str,
    source: str,
    kind: str,
    service: str,
    release: str,
    store: str | None,
) -> None:
    """Write a profile in another tool's format: speedscope, pprof, callgrind, …; or a page as one HTML file."""
    if form == PARQUET and transaction:
        raise click.UsageError("--transaction: --format parquet is of a window; give --range.")
    if endpoint and transaction:
        raise click.UsageError("--endpoint and --transaction exclude each other: give one of them.")
    if form == PAGE:
        narrowed = {"name": endpoint, "kind": kind, "service": service, "release": release, "range": span}
        named = transaction or endpoint or "compare"
        _put(_page(place.readable(store), narrowed, transaction, compare), _FILE, output, named)
        return
    if compare:
        raise click.UsageError("--compare goes with --format page: the other formats hold one profile.")
    with connect(place.readable(store)) as connection:
        if form == PARQUET:
            scope = _scope(connection, endpoint, kind, service, release)
            parquet.write(connection, span, scope, output)
            return
        if transaction:
            subject: Subject = OneTransaction(connection, parse_id(transaction))
        else:
            subject = _endpoints(connection, endpoint, span, kind, service, release)
        data = write(form, subject, source)
    _put(data, EXPORTERS[form], output, endpoint or transaction or "all")


def _endpoints(  # noqa: PLR0917  (as they stand on the command line)
    connection: Connection, endpoint: str, span: str, kind: str, service: str, release: str
) -> Endpoints:
    scope = _scope(connection, endpoint, kind, service, release)
    return Endpoints(connection, window.of_range(span), scope.endpoints, scope.releases)


def _scope(connection: Connection, endpoint: str, kind: str, service: str, release: str) -> Scope:
    scope = scope_of(connection, service, release)
    if not endpoint:
        return scope
    found = one_endpoint(connection, endpoint, kind, service)
    if found is None:
        raise QuestionError(
            f"there is no endpoint {endpoint[:100]!r} in the store; `apm-agent dashboard` lists them"
        )
    return Scope({found.id: scope.endpoints[found.id]}, scope.releases)


def _page(store: str, narrowed: dict[str, str], transaction: str, compare: tuple[str, str] | None) -> bytes:
    """A page as one file."""
    from apm_agent import __version__  # only this format takes the pages
    from apm_agent.web import parameters, routes
    from apm_agent.web.declared import declared
    from apm_agent.web.saved import PARAMETERS, page

    if compare:
        asked = {"page": "compare", **narrowed, "a": compare[0], "b": compare[1], "range": ""}
    elif transaction:
        asked = {"page": "trace", "id": transaction}
    elif narrowed["name"]:
        asked = {"page": "endpoint", **narrowed}
    else:
        raise click.UsageError(
            "--format page is of --endpoint, --transaction or --compare A B: give one of them."
        )
    with connect(store) as connection:
        given = parameters.again(asked, declared("saved", PARAMETERS))
        return page(routes.Asked(connection, given, store, __version__), routes.put)[0]


def _put(data: bytes, row: Format, output: str, name: str) -> None:
    if output == "-" or (not output and row.content_type.startswith("text/plain")):
        with suppress(BrokenPipeError):  # `| head` has seen enough
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        return
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "profile"
    path = Path(output or safe + row.ending)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise click.UsageError(
            f"{str(path)!r} cannot be written: {error.strerror}; name another with -o."
        ) from None
    click.echo(f"{path}: {len(data):,} bytes; opens in {_plain(row.opens)}", err=True)


def _plain(text: str) -> str:
    """Without Markdown's marks."""
    return re.sub(r"\[([^]]*)\]\(([^)]*)\)", r"\1", text).replace("`", "")
