"""`apm-agent push`: what the sampler saw goes to Grafana Pyroscope as pprof, ten minutes at a time.

Beside the application, not in it: the agent opens no socket. Each finished window is sent once while this runs.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from urllib.parse import urlencode, urlsplit

import click

from apm_agent.cli import place, posting
from apm_agent.cli.ship import Sender, read_pairs
from apm_agent.errors import ConfigError
from apm_agent.exporters import pprof
from apm_agent.queries import pushed, window
from apm_agent.queries.connection import connect
from apm_agent.queries.pushed import Profiled

_EACH = 10.0
_TRIES_ONCE = 5
_INGEST = "/ingest"
#: How a value of ours is read that Pyroscope knows no name for: nanoseconds that are added up.
_SAMPLES = {"wall": {"units": "nanoseconds", "aggregation": "sum", "display-name": "wall", "sampled": False}}


@click.command("push")
@click.argument("url")
@click.option("--header", "headers", multiple=True, help="NAME=VALUE sent with each request.")
@click.option("--label", "labels", multiple=True, help="NAME=VALUE on each profile, like env=prod.")
@click.option(
    "--range", "span", default="", help="First push what ended so far back: 15m, 1h, 6h, 24h or 7d."
)
@click.option("--once", is_flag=True, help="End when nothing is left, instead of going on with what comes.")
@click.option("--store", help="The store: a URL, or the path of a file.")
def command(  # noqa: PLR0917  (click gives them by name)
    url: str, headers: tuple[str, ...], labels: tuple[str, ...], span: str, once: bool, store: str | None
) -> None:
    """Push profiles to Grafana Pyroscope (or Alloy) at URL, as pprof over HTTP, each ten minutes once.

    \b
    apm-agent push http://localhost:4040
    apm-agent push https://profiles.example.com --header "Authorization=Bearer …" --range 1h --once
    """
    target = _target(url)
    sent_with, tags = read_pairs(headers), read_pairs(labels, "label")
    source = place.readable(store)
    since = window.of_range(span or "1h").start if span or once else time.time()
    click.echo(f"apm-agent ▸ pushing profiles of {place.shown(source)} to {posting.shown(target)}", err=True)
    pushed_so_far = 0
    try:
        while True:
            now = time.time()
            for t in pushed.finished(since, now):
                with connect(source) as connection:
                    found = pushed.profiles(connection, t)
                for each in found:
                    _push(target, each, sent_with, tags, _TRIES_ONCE if once else None)
                pushed_so_far += len(found)
            since = now
            if once:
                break
            time.sleep(_EACH)
    except KeyboardInterrupt:
        pass
    click.echo(f"apm-agent ▸ pushed {pushed_so_far} profiles", err=True)


def _push(
    target: str, each: Profiled, headers: dict[str, str], labels: dict[str, str], tries: int | None
) -> None:
    told = {"release": each.release, **labels}
    tags = ",".join(f"{_plain(name)}={_plain(value)}" for name, value in told.items() if value)
    address = urlencode({
        "name": f"{_plain(each.service) or 'python'}{{{tags}}}", "from": each.t, "until": each.t + pushed.WIDTH,
        "format": "pprof", "spyName": "apm-agent",
    })  # fmt: skip
    data = pprof.export(each.profile, each.t * 10**9, pushed.WIDTH * 10**9)
    kind, body = _form({"profile": data, "sample_type_config": json.dumps(_SAMPLES).encode()})
    Sender(target, posting.http(f"{target}?{address}", headers, kind)).send(body, 1, tries)


def _form(files: dict[str, bytes]) -> tuple[str, bytes]:
    """multipart/form-data, and its type."""
    mark = secrets.token_hex(16)
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in files.items()
    ]
    return f"multipart/form-data; boundary={mark}", b"".join(parts) + f"--{mark}--\r\n".encode()


def _plain(text: str) -> str:
    """Without what has a meaning in a name with labels."""
    return re.sub(r'[{}=,"\s]+', "_", text)


def _target(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise ConfigError(
            f"{url[:100]!r} is no address of Pyroscope; it must look like http://localhost:4040"
        )
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path if path.endswith(_INGEST) else path + _INGEST}"
