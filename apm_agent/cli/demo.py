"""`apm-agent demo`: the example apps under real servers, load, and the dashboard that finds their faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

import click

from apm_agent.cli import beside, browser, place
from apm_agent.cli.troupe import Member, Troupe
from apm_agent.errors import ApmError, ConfigError

NEEDS = ("django", "fastapi", "flask", "gunicorn", "httpx", "sqlalchemy", "uvicorn")
_PLACES = (Path(__file__).parent / "example_apps", Path(__file__).parents[2] / "example_apps")
_RATE = "6"


@click.command("demo")
@click.option(
    "--seconds", type=click.FloatRange(min=0), default=0, help="End after so long; else with Ctrl-C."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The dashboard's port; 8787 or a free one."
)
@click.option(
    "--store", help="Keep what is seen in this file; without it the demo takes all of it away again."
)
@click.option(
    "--browser/--no-browser", "with_browser", default=True, help="Open the dashboard in the browser."
)
def command(seconds: float, port: int, store: str | None, with_browser: bool) -> None:
    """Start the example apps, call them, and show what is wrong with them."""
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        raise ConfigError(f"the demo needs {', '.join(missing)}. Run: pip install 'apm-agent[demo]'")
    apps = next((path for path in _PLACES if (path / "shop.py").is_file()), None)
    if apps is None:
        raise ConfigError(
            f"the example apps are not in {_PLACES[0]}. Run: pip install --force-reinstall apm-agent"
        )
    with _interruptible(), tempfile.TemporaryDirectory(prefix="apm-agent-demo-") as folder:
        where = place.absolute(place.url(store or os.path.join(folder, "apm.db")))
        with Troupe(Path(folder), apps, _environment(folder, where)) as troupe:
            try:
                url = _start(troupe, port, where)
                _show(url, with_browser)
                _load(troupe, url, seconds)
            except KeyboardInterrupt:
                click.echo("")
            _say("stopping")
    _say(
        "done"
        if store is None
        else f"done; look again with: apm-agent dashboard --store {place.shown(where)}"
    )


def _environment(folder: str, store: str) -> dict[str, str]:
    # Settings of the user's own application are not for these.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("APM_AGENT_", "_APM_AGENT_", "DJANGO_"))}
    return {
        **kept,
        "APM_AGENT_STORE": store,
        "APM_AGENT_RELEASE": "1.0",
        "APM_AGENT_ENVIRONMENT": "demo",
        "EXAMPLE_DATA": folder,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _start(troupe: Troupe, port: int, store: str) -> str:
    """Every program, each waited for; the dashboard's URL."""
    with beside.listen(port) as chosen:
        port = chosen.getsockname()[1]
    dashboard = troupe.start(
        "dashboard", beside.command("dashboard", "--store", store, "--port", str(port), "--no-browser")
    )
    _say("starting shop (Flask), feed (FastAPI), notes (Django) and jobs …")
    ports = {name: beside.free_port() for name in ("shop", "feed", "notes", "upstream")}
    _seed(troupe)
    waiting: list[tuple[Member, int]] = [(dashboard, port)]
    for name, program in _programs(ports).items():
        upstream = f"http://127.0.0.1:{ports['upstream']}"
        member = troupe.start(name, program, APM_AGENT_SERVICE=name, FEED_UPSTREAM=upstream)
        waiting.append((member, ports[name]))
    for member, its_port in waiting:
        troupe.wait_for_port(member, its_port)
        if member.name in {"shop", "feed", "notes"}:
            _say(f"{member.name} answers at http://127.0.0.1:{its_port}")
    troupe.start(
        "jobs", [sys.executable, "jobs.py", "--rounds", "0", "--pause", "1.5"], APM_AGENT_SERVICE="jobs"
    )
    for name in ("shop", "feed", "notes"):
        address = f"http://127.0.0.1:{ports[name]}"
        troupe.start(
            f"load of {name}", [sys.executable, "load.py", name, address, "--rate", _RATE, "--seconds", "0"]
        )
    return f"http://127.0.0.1:{port}"


def _programs(ports: dict[str, int]) -> dict[str, list[str]]:
    def gunicorn(name: str, app: str) -> list[str]:
        return [
            sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--workers", "2", "--threads", "4",
            "--bind", f"127.0.0.1:{ports[name]}", app,
        ]  # fmt: skip

    return {
        "upstream": [sys.executable, "upstream.py", str(ports["upstream"])],
        "shop": gunicorn("shop", "shop:app"),
        "feed": [sys.executable, "-m", "uvicorn", "--port", str(ports["feed"]), "feed:app"],
        "notes": gunicorn("notes", "notes.wsgi"),
    }


def _seed(troupe: Troupe) -> None:
    seeding = troupe.start("seed of notes", [sys.executable, "manage.py", "seed"], APM_AGENT_ENABLED="off")
    try:
        seeding.process.wait(30)
    except subprocess.TimeoutExpired:
        raise ApmError(f"the notes' data was not ready in 30 s. It said: {seeding.last_words()}") from None
    troupe.check(seeding)


def _show(url: str, with_browser: bool) -> None:
    _say(f"dashboard {url}")
    if with_browser:
        browser.show(url)


def _load(troupe: Troupe, url: str, seconds: float) -> None:
    """Show how far it is, until the time is over or Ctrl-C; then what was found."""
    started = time.monotonic()
    shown = 0.0
    while not seconds or time.monotonic() - started < seconds:
        time.sleep(0.25)
        troupe.check()
        gone = time.monotonic() - started
        if gone - shown >= (1 if sys.stderr.isatty() else 5):
            shown = gone
            _progress(url, gone, seconds)
    if sys.stderr.isatty():
        click.echo("", err=True)
    _report(url)


def _progress(url: str, gone: float, seconds: float) -> None:
    total = _ask(url, "endpoints?range=15m&limit=1").get("total") or {}
    of = f" of {seconds:.0f} s" if seconds else " s (Ctrl-C ends it)"
    text = f"apm-agent ▸ {gone:.0f}{of} · {total.get('count', 0)} transactions seen"
    click.echo(f"\r{text}" if sys.stderr.isatty() else text, err=True, nl=not sys.stderr.isatty())


def _report(url: str) -> None:
    rows = [row for row in _ask(url, "endpoints?range=15m&sort=share").get("endpoints", []) if row.get("why")]
    _say("found:")
    for row in rows:
        click.echo(
            f"  {row['service']:<6} {row['name']:<28} p95 {row['p95_ms']:>6.0f} ms · {row['why']}", err=True
        )


def _ask(url: str, question: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{url}/api/v1/{question}", timeout=5) as answer:
            return dict(json.load(answer))
    except (OSError, ValueError):
        return {}  # the store is not there before the first batch


def _say(text: str) -> None:
    click.echo(f"apm-agent ▸ {text}", err=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and a closed terminal end the demo as Ctrl-C does: with nothing left behind."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
