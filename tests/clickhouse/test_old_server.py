"""Debian's server, 18.16: it takes our tables and adds our rollups up; clickhouse-connect refuses to speak to it."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from apm_agent.clickhouse import engine as engines
from apm_agent.clickhouse.address import parse
from apm_agent.clickhouse.tables import TABLES, ddl
from apm_agent.errors import StoreError
from daemons import command
from servers import free_port, running

_CONFIG = """<yandex><logger><level>warning</level><console>1</console></logger><http_port>{port}</http_port>
<listen_host>127.0.0.1</listen_host><path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path>
<users_config>{folder}/users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><mark_cache_size>67108864</mark_cache_size></yandex>"""
_USERS = """<yandex><profiles><default></default></profiles><users><default><password></password>
<networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
<quotas><default></default></quotas></yandex>"""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Its port."""
    folder, port = tmp_path_factory.mktemp("old"), free_port()
    _configure(folder, port)
    server = command("clickhouse-server", "clickhouse-server")
    with running([server, f"--config-file={folder}/config.xml"], port=port, cwd=folder) as program:
        yield port
        program.stop(signal.SIGKILL)  # it takes ten seconds to leave by itself


def _configure(folder: Path, port: int) -> None:
    (folder / "config.xml").write_text(_CONFIG.format(port=port, folder=folder))
    (folder / "users.xml").write_text(_USERS)


def _ask(port: int, sql: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/?query={quote(sql)}", data=b"")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text: str = answer.read().decode()
            return text
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{sql}: {error.read().decode()[:300]}") from None


def test_the_client_finds_it_too_old_and_says_so(old: int) -> None:
    with pytest.raises(StoreError, match="it is too old for clickhouse-connect"):
        engines.connect(parse(f"clickhouse://127.0.0.1:{old}/default"), StoreError)


def test_it_takes_our_tables_and_adds_rollups_up_once(old: int) -> None:
    version = engines.version_of(_ask(old, "SELECT version()"))
    for table in TABLES:
        _ask(old, ddl(table, version))
    for source, number in (
        ("a", 1),
        ("a", 2),
        ("b", 1),
    ):  # the second one of "a" takes the place of the first
        _ask(
            old,
            "INSERT INTO rollups (resolution, t, endpoint_id, release_id, count, buckets, counts, source, version)"
            f" VALUES (60, 60, 7, 8, {number}, [5, 9], [{number}, 1], '{source}', {number})",
        )
    found = _ask(
        old, "SELECT sum(count), sumMap(buckets, counts) FROM rollups FINAL WHERE resolution = 60 GROUP BY t"
    )
    assert found == "3\t([5,9],[3,2])\n"
