"""`apm-agent compare A B`: what changed from A to B, each a window, a release, a transaction or a store's file."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from typing import NamedTuple

import click

from apm_agent.cli import place
from apm_agent.cli.compared import as_markdown, as_text
from apm_agent.queries.compare import compare
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.sides import GRAMMAR, Side, Wanted, side, whole
from apm_agent.queries.window import Window, of_range


class _Asked(NamedTuple):
    """What both sides are put with."""

    store: str | None
    wanted: Wanted
    span: Window | None


@click.command("compare")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--endpoint", default="", help='Only this one, like "GET /orders", or the name of a job.')
@click.option("--kind", default="", help="web, background, websocket or stream, where a name is both.")
@click.option("--service", default="", help="Only this service.")
@click.option("--range", "span", default="", help="How far back releases are looked for; 7d.")
@click.option("--store", help="The store: a URL, or the path of a file.")
@click.option("--json", "as_json", is_flag=True, help="Everything, with the difference flame graph, as JSON.")
@click.option("--markdown", is_flag=True, help="As Markdown, for a ticket.")
def command(  # noqa: PLR0917  (click gives them by name)
    before: str, after: str, endpoint: str, kind: str, service: str, span: str, store: str | None, as_json: bool,
    markdown: bool,
) -> None:  # fmt: skip
    """Show what changed from A to B, per call: times, queries, functions, endpoints.

    A and B are each `range:6h`, `range:FROM..TO`, `before:6h` (as long, just before it), `release:1.4.0`, `tx:ID`, or
    the path of a store's file. Under 30 calls a side nothing is ranked. A star marks what is no chance.
    """
    asked = _Asked(store, Wanted(endpoint, kind, service), of_range(span) if span else None)
    with ExitStack() as opened:
        found = compare(_side(opened, before, asked), _side(opened, after, asked))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        click.echo(as_markdown(found) if markdown else as_text(found), nl=False)


def _side(opened: ExitStack, text: str, asked: _Asked) -> Side:
    """A text of the grammar is about the store; anything else is the path of another one."""
    if text.partition(":")[0] in ("range", "before", "release", "tx"):
        return side(_open(opened, place.readable(asked.store)), text, asked.wanted, asked.span)
    if not os.path.exists(text):
        raise click.UsageError(f"{text!r} is neither a file nor one of {GRAMMAR}.")
    return whole(_open(opened, place.absolute(place.url(text))), text, asked.wanted)


def _open(opened: ExitStack, store: str) -> Connection:
    return opened.enter_context(connect(store))
