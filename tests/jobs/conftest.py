"""Workers as people start them, against real brokers, and what the store says of the jobs they did."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import daemons
from apm_agent.errors import contained
from apm_agent.instruments import patching
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current
from apm_agent.tracing.tracer import Tracer
from records import rows
from servers import PYTHON, Program, environment, free_port, running, script

#: What tests hide in messages; it must never be found in a store.
CANARY = "hunter2"

_RAN = """
SELECT t.id, e.kind, e.name, t.started_at, t.queue_ns, t.duration_ns, t.failed, t.error, t.context
FROM transactions t JOIN endpoints e ON e.id = t.endpoint_id ORDER BY t.started_at
"""


class Ran(NamedTuple):
    """One transaction as the store keeps it."""

    id: int
    kind: str
    name: str
    started: int
    queue_ns: int | None
    duration_ns: int
    failed: bool
    error: str
    context: dict[str, Any]

    @property
    def hex(self) -> str:
        return f"{self.id:016x}"


class Site:
    """A folder with an application, its store, and the commands that are run in it."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.folder = folder
        self.store = folder / "apm.db"
        self.env = environment(
            BROKER=broker,
            BACKEND=broker,
            PYTHONPATH=str(folder),
            APM_AGENT_FLUSH_INTERVAL="0.1",
            APM_AGENT_STORE=f"sqlite:///{self.store}",
            APM_AGENT_LOG_SLOW="off",
            dramatiq_worker_timeout="50",  # how long its threads take to see that they are to stop
        )

    def write(self, name: str, text: str) -> None:
        """A file of the application."""
        (self.folder / name).write_text(text)

    def program(
        self, *command: str, watched: bool = True, port: int | None = None
    ) -> AbstractContextManager[Program]:
        """A command for the length of a block: under `apm-agent run`, or as it is."""
        before = [script("apm-agent"), "run", "--no-dashboard"] if watched else []
        first = PYTHON if command[0] == "python" else script(command[0])
        return running([*before, first, *command[1:]], env=self.env, cwd=self.folder, port=port)

    @staticmethod
    def where(command: str) -> str:
        """Where a command lies, for those that run it as a script."""
        return script(command)

    def run(self, *command: str, watched: bool = True) -> str:
        """A command to its end, which must be a good one; gives what it printed."""
        with self.program(*command, watched=watched) as program:
            assert program.wait() == 0, program.output
            return program.output

    def ran(self, least: int = 0, patience: float = 20.0) -> list[Ran]:
        """All transactions there are, once there are so many."""
        deadline = time.monotonic() + patience
        while True:
            found = []
            with suppress(sqlite3.OperationalError):  # the file, or its tables, are not there yet
                found = [self._ran(row) for row in rows(self.store, _RAN)]
            if len(found) >= least:
                return found
            assert time.monotonic() < deadline, f"{len(found)} of {least}: {found}"
            time.sleep(0.05)

    def named(self, name: str, least: int = 0) -> list[Ran]:
        """Those of one endpoint."""
        deadline = time.monotonic() + 20
        while True:
            found = [ran for ran in self.ran() if ran.name == name]
            if len(found) >= least:
                return found
            assert time.monotonic() < deadline, f"{len(found)} of {least} {name}: {self.ran()}"
            time.sleep(0.05)

    def one(self, name: str) -> Ran:
        """The only one of an endpoint."""
        (found,) = self.named(name, 1)
        return found

    def drained(self, *keys: str, patience: float = 20.0) -> None:
        """Returns once none of these is in Redis: all work is taken and done."""
        import redis

        deadline = time.monotonic() + patience
        with redis.Redis.from_url(self.env["BROKER"]) as client:
            while client.exists(*keys):
                assert time.monotonic() < deadline, client.keys()
                time.sleep(0.05)

    def keeps_no_secret(self) -> None:
        """No canary in any file of the store."""
        for path in self.folder.glob("apm.db*"):
            assert CANARY.encode() not in path.read_bytes(), path

    @staticmethod
    def _ran(row: tuple[Any, ...]) -> Ran:
        return Ran(*row[:6], bool(row[6]), row[7] or "", json.loads(row[8] or "{}"))


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real redis-server."""
    with daemons.redis(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture(scope="session")
def rabbit_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real RabbitMQ, with an epmd of its own, which goes on for itself and so is told to end."""
    daemons.command("rabbitmqctl", "rabbitmq-server")
    folder = tmp_path_factory.mktemp("rabbit")
    port = free_port()
    env = environment(
        HOME=str(folder),
        ERL_EPMD_PORT=str(free_port()),
        ERL_EPMD_ADDRESS="127.0.0.1",
        RABBITMQ_NODENAME=f"apm{port}@localhost",
        RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
        RABBITMQ_NODE_PORT=str(port),
        RABBITMQ_DIST_PORT=str(free_port()),
        RABBITMQ_MNESIA_BASE=str(folder / "data"),
        RABBITMQ_LOG_BASE=str(folder / "log"),
        RABBITMQ_ENABLED_PLUGINS_FILE=str(folder / "plugins"),
    )
    # Debian's own command changes to a user that may not write here; the one below it does not.
    with running(["/usr/lib/rabbitmq/bin/rabbitmq-server"], env=env, cwd=folder, port=port) as server:
        server.wait_for_output("Starting broker... completed")
        yield port
        server.stop()
        subprocess.run(["epmd", "-kill"], env=env, check=False, capture_output=True)


@pytest.fixture
def site(tmp_path: Path, redis_port: int) -> Site:
    """An empty application beside an empty Redis."""
    import redis

    url = f"redis://127.0.0.1:{redis_port}/0"
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return Site(tmp_path, url)


@pytest.fixture
def seen() -> Iterator[list[Transaction]]:
    """The agent's tracer and all instruments in this process; the transactions that ended, nothing left behind."""
    contained.seen.clear()
    ended: list[Transaction] = []
    tracing.tracer = Tracer(sink=ended.append)
    patching.apply()
    try:
        yield ended
        assert current.get() is None
        assert not contained.seen
    finally:
        patching.remove()
        tracing.tracer = None
        current.set(None)
