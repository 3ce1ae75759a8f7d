"""`apm-agent mcp`: the store for coding assistants, by the Model Context Protocol on standard input and output."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import click

from apm_agent import __version__, config
from apm_agent.cli import place
from apm_agent.errors import ConfigError
from apm_agent.model import scrub, scrub_rules
from apm_agent.queries.connection import path_of

#: The first major version that serves tools told by their JSON Schema.
_LEAST = 2


@click.command("mcp")
@click.option("--store", help="The store: a URL, or the path of a file.")
@click.option("--context", is_flag=True, help="Tell the values of context too, not only its keys.")
def command(store: str | None, context: bool) -> None:
    """Let a coding assistant ask what is slow and why: read-only, masked, bounded answers (docs/mcp.md).

    The assistant starts this itself and speaks to it on standard input and output.
    """
    serve = _served()
    where = place.chosen(store)
    path_of(where)
    scrub.configure(scrub_rules.read(config.load().scrub))
    serve(where, __version__, context)


def _served() -> Callable[[str, str, bool], None]:
    """What serves; `ConfigError` with the cure where the package it rests on is missing or too old."""
    try:
        found = version("mcp")
        if int(found.partition(".")[0]) < _LEAST:
            raise ImportError(f"there is only mcp {found}")
        from apm_agent.mcp.server import serve
    except (ImportError, PackageNotFoundError, ValueError) as error:
        why = "it is not installed" if isinstance(error, PackageNotFoundError) else str(error)
        raise ConfigError(
            f"apm-agent mcp needs the package mcp {_LEAST}.0 or newer, and {why}. Cure: pip install 'apm-agent[mcp]'"
        ) from None
    return serve
