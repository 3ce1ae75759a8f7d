"""`apm-agent run COMMAND…`: watches any command and the processes it starts, with no edit of the application.

It becomes the command (`exec`) instead of standing above it: signals, exit code, terminal, process number and
parent are then the command's own, for a process manager as for Ctrl-C. Where there is no `exec` (Windows) it
waits for the command and passes its exit code on.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import click

from apm_agent import config
from apm_agent.cli import beside, place
from apm_agent.errors import ConfigError

BOOT = Path(__file__).parent / "boot"


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option(
    "--dashboard/--no-dashboard", "with_dashboard", default=True, help="Start the dashboard beside it."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The dashboard's port; 8787 or a free one."
)
@click.option("--store", help="Where to keep what is seen: a URL, or the path of a file.")
@click.option("--service", help="Name of the application on the pages.")
@click.option(
    "--slow", help="Print one line for each transaction at least this long, like 100ms; 0 for none."
)
@click.argument("arguments", metavar="COMMAND…", nargs=-1, required=True, type=click.UNPROCESSED)
def command(  # noqa: PLR0917  (click gives them by name)
    with_dashboard: bool,
    port: int,
    store: str | None,
    service: str | None,
    slow: str | None,
    arguments: tuple[str, ...],
) -> None:
    """Watch COMMAND and every process it starts; the application is not edited.

    \b
    apm-agent run gunicorn shop:app
    apm-agent run uvicorn feed:app --workers 2
    apm-agent run python manage.py runserver
    apm-agent run pytest
    """
    settings = _settings(os.environ, store, service, slow)
    program = _find(arguments[0])
    if not config.load(environment=settings).enabled:
        click.echo("apm-agent ▸ off, as APM_AGENT_ENABLED says: nothing is watched", err=True)
        _become(program, arguments, dict(os.environ))
    environment = {**os.environ, **settings}
    environment["PYTHONPATH"] = os.pathsep.join([str(BOOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    url = ""
    if with_dashboard and hasattr(os, "fork"):
        url = environment["_APM_AGENT_DASHBOARD"] = beside.start(settings["APM_AGENT_STORE"], port)
    _say(arguments[0], url, settings["APM_AGENT_STORE"])
    environment["_APM_AGENT_PID"] = str(os.getpid())
    _become(program, arguments, environment)


def _settings(
    around: Mapping[str, str], store: str | None, service: str | None, slow: str | None
) -> dict[str, str]:
    """What the command's processes find in their environment; an option wins over what was there."""
    given = {k: v for k, v in around.items() if k.startswith(config.PREFIX)}
    given.setdefault("APM_AGENT_SLOW", "0.1")
    given.setdefault("APM_AGENT_LOG_SLOW", "on")
    if service:
        given["APM_AGENT_SERVICE"] = service
    if store:
        given["APM_AGENT_STORE"] = place.url(store)
    # A wrong setting stops here, before anything is started.
    read = config.load({"slow": slow} if slow else None, environment=given)
    given["APM_AGENT_SLOW"] = f"{read.slow}"
    if not read.slow:
        given["APM_AGENT_LOG_SLOW"] = "off"
    # Processes below may change their folder; all of them write to one place.
    given["APM_AGENT_STORE"] = place.absolute(read.store)
    return given


def _find(name: str) -> str:
    own = os.path.dirname(sys.executable)
    folders = os.environ.get("PATH", os.defpath)
    if own not in folders.split(os.pathsep):
        # Called by its path from an environment that is not active: that environment's commands are meant.
        folders = own + os.pathsep + folders
    found = shutil.which(name, path=folders)
    if found is not None:
        return found
    cure = (
        f"Did you mean: apm-agent run python {name}"
        if name.endswith(".py")
        else "Is it installed and on PATH?"
    )
    raise ConfigError(f"there is no command {name!r}. {cure}")


def _say(name: str, url: str, store: str) -> None:
    shown = f"dashboard {url}" if url else f"dashboard: apm-agent dashboard --store {place.shown(store)}"
    click.echo(
        f"apm-agent ▸ watching {os.path.basename(name)} · {shown} · store {place.shown(store)}", err=True
    )


def _become(program: str, arguments: tuple[str, ...], environment: dict[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":
        sys.exit(subprocess.call([program, *arguments[1:]], env=environment))
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, and what is ignored stays so in the command
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        # By its full path: a Python finds its own environment by the name it was called by.
        os.execve(program, [program, *arguments[1:]], environment)
    except OSError as error:
        raise ConfigError(
            f"cannot start {program!r}: {error.strerror}. Is it a program for this machine?"
        ) from None
