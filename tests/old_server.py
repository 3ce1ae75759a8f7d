"""Starts Debian's ClickHouse, 18.16, one node or the shards of a cluster, and asks it over HTTP."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from daemons import command
from servers import Program, environment, free_port

_CONFIG = """<yandex><logger><level>warning</level><console>1</console></logger><http_port>{http}</http_port>
<tcp_port>{tcp}</tcp_port><listen_host>127.0.0.1</listen_host><path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path>
<users_config>{folder}/users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><mark_cache_size>67108864</mark_cache_size>
<remote_servers><shards>{shards}</shards></remote_servers></yandex>"""
_SHARD = "<shard><replica><host>127.0.0.1</host><port>{}</port></replica></shard>"
_USERS = """<yandex><profiles><default></default></profiles><users><default><password></password>
<networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
<quotas><default></default></quotas></yandex>"""


@contextmanager
def nodes(folder: Path, count: int = 1) -> Iterator[list[int]]:
    """The HTTP ports of so many nodes, each a shard of the cluster `shards`."""
    ports = [(free_port(), free_port()) for _ in range(count)]
    shards = "".join(_SHARD.format(tcp) for _, tcp in ports)
    started: list[Program] = []
    try:
        for number, (http, tcp) in enumerate(ports):
            own = folder / f"node{number}"
            own.mkdir()
            (own / "config.xml").write_text(_CONFIG.format(http=http, tcp=tcp, folder=own, shards=shards))
            (own / "users.xml").write_text(_USERS)
            server = command("clickhouse-server", "clickhouse-server")
            started.append(Program([server, f"--config-file={own}/config.xml"], environment(), own, http))
        for program in started:
            program.wait_until_it_listens()
        yield [http for http, _ in ports]
    finally:
        for program in started:
            program.stop(signal.SIGKILL)  # asked to end it takes its time, and there is nothing to be kept


def ask(port: int, sql: str) -> str:
    """The answer as text."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/?query={quote(sql)}", data=b"")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text: str = answer.read().decode()
            return text
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{sql}: {error.read().decode()[:300]}") from None


class Old:
    """The old server as our own code speaks to a current one: rows, and inserts that lie on their shard at once.

    Through `Distributed` it reads FINAL only with all columns of the key: call `merge` on each node before reading.
    """

    def __init__(self, port: int, database: str) -> None:
        self._url = f"http://127.0.0.1:{port}/?database={database}&insert_distributed_sync=1"
        self.version = tuple(int(part) for part in ask(port, "SELECT version()").split(".")[:3])

    def run(self, sql: str) -> None:
        """A statement that answers nothing."""
        self._post(sql.encode())

    def rows(self, sql: str, binary: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        """All rows; bytes come as hexadecimal digits through JSON."""
        sql = sql.replace(" FINAL", "")
        for name in binary:
            sql = sql.replace(f", {name} ", f", hex({name}) ")
        found = self._post(f"{sql} FORMAT JSONCompact".encode(), "&output_format_json_quote_64bit_integers=0")
        rows = json.loads(found)["data"]
        return [
            tuple(bytes.fromhex(each) if binary and at else each for at, each in enumerate(row))
            for row in rows
        ]

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], token: str) -> None:
        """Put rows in; it knows no tokens."""
        values = ",".join(f"({','.join(map(_literal, row))})" for row in rows)
        self._post(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}".encode())

    def close(self) -> None:
        """Nothing is held."""

    def _post(self, body: bytes, settings: str = "") -> bytes:
        try:
            with urllib.request.urlopen(self._url + settings, body, timeout=60) as answer:
                found: bytes = answer.read()
                return found
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{body[:300]!r}: {error.read().decode()[:500]}") from None


def merge(port: int, database: str, tables: Iterable[str]) -> None:
    """Let a node drop the rows that have come again, as FINAL would."""
    for table in tables:
        ask(port, f"OPTIMIZE TABLE {database}.{table} FINAL")


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_literal, value))}]"
    if isinstance(value, str):
        value = value.encode("utf-8", "replace")
    if isinstance(value, bytes):
        return "'" + "".join(f"\\x{each:02x}" for each in value) + "'"
    return repr(int(value) if isinstance(value, bool) else value)
