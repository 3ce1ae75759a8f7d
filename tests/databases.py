"""Starts PostgreSQL and MariaDB from Debian's packages: own user, own folder, a free port of the loopback address."""

from __future__ import annotations

import glob
import importlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from servers import environment, free_port, running


@contextmanager
def postgresql() -> Iterator[int]:
    """A PostgreSQL that lets ``postgres`` in without a password; gives its port."""
    port = free_port()
    with _folder("postgres") as folder:
        data = str(folder / "data")
        _run(
            _as("postgres", _command("initdb", "postgresql"), "-D", data, "-U", "postgres", "-A", "trust",
                "-E", "UTF8", "--locale", "C", "--no-sync"),
        )  # fmt: skip
        settings = ("fsync=off", f"unix_socket_directories={folder}", "shared_buffers=16MB")
        options = [option for setting in settings for option in ("-c", setting)]
        command = _as(
            "postgres",
            _command("postgres", "postgresql"),
            "-D",
            data,
            "-p",
            str(port),
            "-h",
            "127.0.0.1",
            *options,
        )
        with running(command, port=port, cwd=folder) as server:
            server.wait_for_output("ready to accept connections")
            try:
                yield port
            finally:
                server.stop(signal.SIGINT)  # on a SIGTERM it waits for its clients to leave


@contextmanager
def mariadb() -> Iterator[int]:
    """A MariaDB with the user ``apm``, password ``a-password`` and the database ``shop``; gives its port."""
    port = free_port()
    with _folder("mysql") as folder:
        data, init = str(folder / "data"), folder / "init.sql"
        init.write_text(
            "CREATE DATABASE shop;\nCREATE USER apm@'%' IDENTIFIED BY 'a-password';\nGRANT ALL ON *.* TO apm@'%';\n"
        )
        install = _command("mariadb-install-db", "mariadb-server")
        _run(
            _as("mysql", install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
                "--skip-test-db", f"--tmpdir={folder}"),
        )  # fmt: skip
        command = _as(
            "mysql", _command("mariadbd", "mariadb-server"), "--no-defaults", f"--datadir={data}",
            f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket", f"--init-file={init}",
            f"--pid-file={folder}/pid", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M",
            f"--tmpdir={folder}", "--skip-name-resolve",
        )  # fmt: skip
        with running(command, port=port, cwd=folder):
            yield port


@pytest.fixture(scope="session", name="postgresql")
def postgresql_port() -> Iterator[int]:
    """The port of a PostgreSQL of the tests' own."""
    with postgresql() as port:
        yield port


@pytest.fixture(scope="session", name="mariadb")
def mariadb_port() -> Iterator[int]:
    """The port of a MariaDB of the tests' own."""
    with mariadb() as port:
        yield port


def built(name: str) -> Any:
    """A driver that must be compiled as it is installed; without it the tests are skipped, with the cure."""
    if os.environ.get("CI"):
        return importlib.import_module(name)
    cure = "apt-get install gcc pkg-config python3-dev libmariadb-dev, then make test"
    return pytest.importorskip(name, reason=f"{name} is not here; cure: {cure}")


@contextmanager
def _folder(user: str) -> Iterator[Path]:
    """A folder that `user` may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix=f"apm-{user}-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as(user: str, *command: str) -> list[str]:
    """The servers refuse to run as root."""
    if os.geteuid() != 0:
        return list(command)
    pwd.getpwnam(user)
    # Not runuser or su: a signal would end them and leave the server.
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *command]


def _command(name: str, package: str) -> str:
    """Where the program is; without it the tests are skipped, with the cure."""
    versions = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)
    found = versions[0] if versions else shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not here; cure: apt-get install {package}")
    return found


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
