"""`apm-agent doctor`: what is watched here and what is not, each trouble with its cure."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import click

from apm_agent import __version__, config
from apm_agent.cli import place
from apm_agent.clickhouse import status
from apm_agent.errors import ApmError, ConfigError
from apm_agent.queries import health_checks
from apm_agent.queries.connection import connect
from apm_agent.queries.health_checks import FINE, NOTE, WRONG, Finding, installed
from apm_agent.store import location, schema

_MARKS = {FINE: "✓", NOTE: "·", WRONG: "✗"}
_COLOURS = {FINE: "green", NOTE: "yellow", WRONG: "red"}
_STATIC = Path(__file__).parents[1] / "web" / "static"
#: Distribution → what it is to us.
LIBRARIES = {
    "django": "framework", "fastapi": "framework", "flask": "framework", "starlette": "framework",
    "gunicorn": "server", "hypercorn": "server", "uvicorn": "server",
    "httpx": "library", "jinja2": "library", "requests": "library", "sqlalchemy": "library",
    "urllib3": "library",
}  # fmt: skip


@click.command("doctor")
@click.option("--store", help="The store: a URL, or the path of a file.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
@click.pass_context
def command(ctx: click.Context, store: str | None, as_json: bool) -> None:
    """Look at the installation, the settings and the store; end with 1 when something is wrong."""
    found = [finding for check in CHECKS for finding in check(store)]
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in found], indent=2, ensure_ascii=False))
    else:
        for finding in found:
            _show(finding)
    ctx.exit(1 if any(finding.state == WRONG for finding in found) else 0)


def _show(finding: Finding) -> None:
    mark = click.style(_MARKS[finding.state], fg=_COLOURS[finding.state])
    click.echo(f"{mark} {finding.what:<14} {finding.detail}")
    if finding.cure:
        click.echo(f"  {'':<14} → {finding.cure}")


def python(store: str | None) -> Iterator[Finding]:
    """The interpreter, and whether the sampler may look into it."""
    name = f"{sys.implementation.name} {sys.version.split()[0]} at {sys.executable} · apm-agent {__version__}"
    yield Finding(FINE, "python", name)
    yield from health_checks.interpreter()
    if sys.flags.ignore_environment or sys.flags.no_site:
        yield Finding(
            WRONG,
            "start",
            "this Python ignores PYTHONPATH, so `run` cannot watch it",
            "leave out -E, -I and -S",
        )


def settings(store: str | None) -> Iterator[Finding]:
    """Settings from the environment; those of a framework are only known in the application."""
    try:
        read = config.load()
    except ConfigError as error:
        yield Finding(WRONG, "settings", str(error), "correct it or unset it")
        return
    given = [f for f in fields(read) if config.PREFIX + f.name.upper() in os.environ]
    for field in given:
        value = "[secret]" if field.metadata["secret"] else repr(getattr(read, field.name))
        yield Finding(FINE, "setting", f"{field.name} = {value} from {config.PREFIX}{field.name.upper()}")
    rest = "the others are defaults or set in the application" if given else "none in the environment"
    yield Finding(FINE, "settings", rest)
    if not read.enabled:
        yield Finding(NOTE, "enabled", "off: nothing is watched", "unset APM_AGENT_ENABLED")
    if not read.dashboard_token and not read.authorize:
        yield Finding(
            NOTE, "access", "only this machine may see the dashboard, and nobody through a proxy",
            "to let others in, set APM_AGENT_DASHBOARD_TOKEN or APM_AGENT_AUTHORIZE",
        )  # fmt: skip


def storage(option: str | None) -> Iterator[Finding]:
    """Whether the store can be written and what it holds."""
    try:
        url = place.chosen(option)
        path = location.path_of(url)
    except ApmError as error:
        yield Finding(WRONG, "store", str(error))
        return
    cure = "make it writable for this user, or name another with APM_AGENT_STORE"
    folder = _nearest(os.path.dirname(path))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(WRONG, "store", f"{folder} cannot be written", cure)
    elif os.path.exists(path) and not os.access(path, os.W_OK):
        yield Finding(WRONG, "store", f"{path} cannot be written", cure)
    else:
        yield Finding(FINE, "store", f"{place.shown(url)} can be written")
    try:
        location.refuse_network(folder)
        yield from _content(url, path)
    except ApmError as error:
        yield Finding(WRONG, "store", str(error))


def _nearest(folder: str) -> str:
    """The folder, or the first thing above it that is there."""
    while not os.path.exists(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder


def _content(url: str, path: str) -> Iterator[Finding]:
    with connect(url) as connection:
        if connection.empty:
            yield Finding(NOTE, "last event", "never", "start the application with: apm-agent run COMMAND…")
            return
        count, last = connection.rows("SELECT count(*), max(started_at) FROM transactions")[0]
        version_ = connection.rows("PRAGMA user_version")[0][0]
        size = os.path.getsize(path) / 2**20
        yield Finding(FINE, "schema", f"{version_}, this version writes {schema.VERSION}")
        if last is None:
            yield Finding(NOTE, "last event", "never", "send the application a request")
        else:
            yield Finding(FINE, "last event", f"{_ago(last / 1e9)} · {count} transactions in {size:.1f} MB")
        yield from _shipped(path)
        for host, pid, service, state in connection.rows(
            "SELECT host, pid, service, state FROM processes ORDER BY last_seen DESC LIMIT 1"
        ):
            yield from _process(f"{service} ({host}, process {pid})", state)


def _shipped(path: str) -> Iterator[Finding]:
    for told in status.told(path):
        where, lost, waits = told.get("to"), told.get("dropped") or 0, told.get("waiting")
        done = f"{told.get('shipped') or 0} transactions to {where}, last {_ago(told.get('at') or 0.0)}"
        if waits:
            yield Finding(WRONG, "shipped", f"{done}; it waits: {waits}", "see that the server answers")
        elif lost:
            yield Finding(
                NOTE, "shipped", f"{done}; {lost} were deleted before they could be",
                "set APM_AGENT_MAX_SIZE higher, so that the store outlasts the server's absence",
            )  # fmt: skip
        else:
            yield Finding(FINE, "shipped", done)


def _process(name: str, state: str | None) -> Iterator[Finding]:
    told = json.loads(state) if state else {}
    instruments = told.get("instruments") or []
    watched = [each["name"] for each in instruments if each["state"] == "patched"]
    yield Finding(FINE, "watched", f"{', '.join(watched) or 'no library'} in {name}, which wrote last")
    yield from health_checks.instruments(told)


def libraries(store: str | None) -> Iterator[Finding]:
    """What is installed beside us, of that which we know."""
    off = _off()
    for role in ("framework", "server", "library"):
        names = [(name, installed(name)) for name, what in LIBRARIES.items() if what == role]
        there = [f"{name} {found}" + (" (off)" if name in off else "") for name, found in names if found]
        if there:
            yield Finding(FINE, {"library": "libraries"}.get(role, f"{role}s"), ", ".join(there))
    yield from health_checks.other_agents()


def _off() -> tuple[str, ...]:
    try:
        return config.load().instruments_off
    except ConfigError:
        return ()


def pages(store: str | None) -> Iterator[Finding]:
    """Whether the dashboard's pages were built."""
    if (_STATIC / "manifest.json").is_file():
        yield Finding(FINE, "dashboard", "its pages are built")
    else:
        yield Finding(
            WRONG,
            "dashboard",
            f"its pages are not in {_STATIC}",
            "run: python dashboard/build.py, or reinstall",
        )


def tools(store: str | None) -> Iterator[Finding]:
    """What the machine must be able to do."""
    yield from health_checks.machine()


#: Every check, in the order of the report.
CHECKS: tuple[Callable[[str | None], Iterator[Finding]], ...] = (
    python, tools, settings, libraries, storage, pages,
)  # fmt: skip


def _ago(moment: float) -> str:
    seconds = max(0, int(time.time() - moment))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"
