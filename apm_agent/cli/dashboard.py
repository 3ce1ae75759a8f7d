"""`apm-agent dashboard`: serves the pages of a store from a process of its own."""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import closing

import click

from apm_agent import config
from apm_agent.cli import beside, place
from apm_agent.cli.browser import show
from apm_agent.errors import ConfigError
from apm_agent.queries.connection import path_of


@click.command("dashboard")
@click.option("--store", help="The store: a URL, or the path of a file.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port; 8787 or a free one.")
@click.option("--token", default="", help="Lets whoever sends it see the pages from elsewhere.")
@click.option("--browser/--no-browser", default=True, help="Open the pages in the browser.")
@click.option("--listening", type=int, hidden=True, help="A descriptor that listens already, from `run`.")
@click.option(
    "--until-closed", type=int, hidden=True, help="End when this descriptor's other side is closed."
)
def command(  # noqa: PLR0917  (click gives them by name)
    store: str | None, host: str, port: int, token: str, browser: bool,
    listening: int | None, until_closed: int | None,
) -> None:  # fmt: skip
    """Show what a store holds; works while the application runs and when it does not."""
    from apm_agent.web.server import serve

    settings = config.load()
    token = token or settings.dashboard_token
    if host not in {"127.0.0.1", "::1", "localhost"} and not token:
        raise ConfigError(f"--host {host} lets other machines in, and they need a token. Add --token TEXT.")
    where = place.chosen(store)
    path_of(where)  # said before the port is taken and the browser opened
    with closing(_listener(listening, host, port)) as listener:
        if until_closed is not None:
            threading.Thread(target=_end_with, args=(until_closed,), daemon=True).start()
        else:
            _tell(listener, where, token, browser)
        serve(
            where,
            listener,
            token=token,
            authorize=settings.authorize,
            explain=settings.explain,
            editor=settings.editor,
            blame=settings.blame,
        )


def _listener(listening: int | None, host: str, port: int) -> socket.socket:
    return socket.socket(fileno=listening) if listening is not None else beside.listen(port, host)


def _tell(listener: socket.socket, store: str, token: str, browser: bool) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    click.echo(f"apm-agent ▸ dashboard {url} · store {place.shown(store)} · Ctrl-C ends it", err=True)
    if browser:
        # Connections wait in the listening socket, so the page may be asked for before it is served.
        show(f"{url}?token={token}" if token else url)


def _end_with(descriptor: int) -> None:
    """End this process when nobody holds the other side any more; there is nothing to save."""
    while os.read(descriptor, 1):
        pass
    sys.stderr.flush()
    os._exit(0)
