"""Starts the servers that Debian packages bring, each on a free port of the loopback address."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from servers import free_port, running


def command(name: str, package: str) -> str:
    """Where the server is; without it the tests are skipped, with the cure."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here; cure: apt-get install {package}")
    return found


@contextmanager
def redis(folder: Path, cluster: bool = False) -> Iterator[int]:
    """A redis-server, alone or a cluster of one that still has no slots; gives its port."""
    port = free_port()
    options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())] if cluster else []
    with running(
        [
            command("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", *options,
        ],
        port=port,
        cwd=folder,
    ):  # fmt: skip
        yield port


@contextmanager
def memcached() -> Iterator[int]:
    """A memcached; gives its port."""
    port = free_port()
    with running(
        [command("memcached", "memcached"), "-u", "nobody", "-p", str(port), "-l", "127.0.0.1"], port=port
    ):
        yield port
