"""Goes on shipping a local store to ClickHouse until it is stopped, however often the server is away meanwhile."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from types import FrameType

import click

from apm_agent.cli import place
from apm_agent.clickhouse import address, sharded
from apm_agent.errors import ConfigError, StoreError
from apm_agent.store.clickhouse.shipper import Shipper
from apm_agent.store.location import path_of

_PASSWORD = "APM_AGENT_CLICKHOUSE_PASSWORD"
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_TRIES_ONCE = 3


def forward(target: str, store: str, each: float, once: bool) -> None:
    """Ship what is there, and what comes, to the ClickHouse that `target` names."""
    if not address.is_clickhouse(target):
        raise ConfigError(
            f"{target.partition('@')[2][:60] or target[:60]!r} is nowhere to ship to: write"
            " clickhouse://user:password@host:8123/database, or name a collector with --to"
        )
    where = address.parse(target, ConfigError)
    if not where.password:
        where = where._replace(password=os.environ.get(_PASSWORD, ""))
    if not place.is_file(store):
        raise ConfigError(
            f"--store {place.shown(store)!r} is no local store: only what a machine wrote itself is shipped"
        )
    shipper = Shipper(path_of(store), where, socket.gethostname())
    click.echo(f"apm-agent ▸ shipping {place.shown(store)} to {where.shown}", err=True)
    ended = threading.Event()

    def end(signum: int, frame: FrameType | None) -> None:
        ended.set()

    before = signal.signal(signal.SIGTERM, end)
    try:
        _go_on(shipper, ended, each, once)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
        shipper.close()


def tables(target: str, cluster: str) -> str:
    """The SQL that makes the tables on several servers, each shard on as many as hold it."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", cluster):
        raise ConfigError(f"--cluster {cluster[:60]!r} is no name of a cluster: letters, digits and _ only")
    database = address.parse(target, ConfigError).database
    return ";\n".join(sharded.statements(database, cluster)) + ";"


def _go_on(shipper: Shipper, ended: threading.Event, each: float, once: bool) -> None:
    pause, tries, sent = _FIRST_PAUSE, 0, 0
    while not ended.is_set():
        began = time.monotonic()
        try:
            more = shipper.step(all_of_it=once)
        except StoreError as error:
            tries += 1
            shipper.waiting(str(error))
            shipper.disconnect()
            if once and tries >= _TRIES_ONCE:
                raise
            if tries == 1:
                click.echo(f"apm-agent ▸ waiting: {error}", err=True)
            ended.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            continue
        if tries:
            click.echo("apm-agent ▸ going on", err=True)
        pause, tries = _FIRST_PAUSE, 0
        sent += more
        if more or once:
            lost = f" · {shipper.dropped} deleted before they were shipped" if shipper.dropped else ""
            took = time.monotonic() - began
            click.echo(f"apm-agent ▸ shipped {sent} transactions (+{more} in {took:.1f} s){lost}", err=True)
        if once:
            return
        ended.wait(each)
