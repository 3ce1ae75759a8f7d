"""`apm-agent why ENDPOINT`: why it is slow, in at most 4 KB of Markdown, for people and tickets."""

from __future__ import annotations

import json

import click

from apm_agent.cli import place
from apm_agent.queries import window
from apm_agent.queries.connection import connect
from apm_agent.queries.why import diagnose, markdown


@click.command("why")
@click.argument("endpoint")
@click.option(
    "--range", "span", default="24h", show_default=True, help="How far back: 15m, 1h, 6h, 24h or 7d."
)
@click.option("--kind", default="", help="web, background, websocket or stream, where a name is both.")
@click.option("--service", default="", help="The service, where several have the endpoint.")
@click.option("--release", default="", help="Only this release.")
@click.option("--store", help="The store: a URL, or the path of a file.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def command(  # noqa: PLR0917  (click gives them by name)
    endpoint: str, span: str, kind: str, service: str, release: str, store: str | None, as_json: bool
) -> None:
    """Say why ENDPOINT is slow, like "GET /orders" or the name of a job."""
    with connect(place.readable(store)) as connection:
        found = diagnose(connection, endpoint, window.of_range(span), kind, service, release)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else markdown(found), nl=as_json)
