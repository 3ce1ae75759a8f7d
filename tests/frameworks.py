"""One site in many frameworks, asked over real sockets bare and watched: the same bytes, and what was recorded."""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from apm_agent.queries import detail
from servers import PYTHON, ROOT, environment, free_port, running

RUN = [PYTHON, "-m", "apm_agent", "run", "--no-dashboard"]

#: What every site imports: its own line that fails, queries to count, and a meeting of two requests.
COMMON = '''
import asyncio, sqlite3, threading

def price():
    raise LookupError("no such price")

def queries(count):
    with sqlite3.connect(":memory:") as connection:
        for _ in range(count):
            connection.execute("SELECT 1").fetchall()

both = threading.Barrier(2)

def meet():
    """Returns when two requests are here, each in its thread."""
    both.wait(20)

here = []

async def meet_async():
    """Returns when two requests are here, in one loop."""
    here.append(1)
    while len(here) < 2:
        await asyncio.sleep(0.001)
'''

Command = Callable[[int], Sequence[str]]
Request = tuple[str, str, bytes]

#: What is asked one after the other, and what at once.
ASKED: list[Request] = [
    ("GET", "/users/7", b""),
    ("GET", "/users/8?secret=1", b""),
    ("POST", "/echo", b"x" * 100_000),
    ("GET", "/missing/1", b""),
    ("GET", "/missing/2", b""),
    ("GET", "/stream", b""),
    ("GET", "/fail", b""),
]
AT_ONCE = ("/left", "/right")


class Seen(NamedTuple):
    """A recorded transaction: failure is the exception's class and own function, where one was noted."""

    kind: str
    name: str
    status: int | None
    failure: tuple[str, str] | None
    queries: int


def ask(port: int, request: Request) -> bytes:
    """The raw answer, without what changes by the second."""
    method, path, body = request
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        head = f"{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        connection.sendall(f"{head}{length}\r\n".encode() + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return re.sub(rb"(?mi)^date: .*\r\n", b"", answer)


def listen(port: int, path: str) -> bytes:
    """All that comes over a websocket until the server closes it."""
    key = base64.b64encode(os.urandom(16)).decode()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        told = b""
        while b"hello" not in told:
            part = connection.recv(65536)
            assert part, told
            told += part
        connection.sendall(b"\x88\x82\x00\x00\x00\x00\x03\xe8")  # closed, as the protocol asks
        return told


def ask_at_once(port: int, paths: Sequence[str]) -> list[bytes]:
    """The answers to requests that are in flight together."""
    answers: dict[str, bytes] = {}

    def one(path: str) -> None:
        answers[path] = ask(port, ("GET", path, b""))

    threads = [threading.Thread(target=one, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[path] for path in paths]


def visit(
    command: Command, folder: Path, asked: Sequence[Request] = ASKED, at_once: Sequence[str] = AT_ONCE,
    watched: bool = True, **variables: str,
) -> tuple[list[bytes], list[Seen]]:  # fmt: skip
    """Serve the site of a folder, ask everything, and return answers and what was recorded."""
    port = free_port()
    env = environment(
        PYTHONPATH=os.pathsep.join((str(folder), str(ROOT))), PYTHONHASHSEED="0",
        APM_AGENT_SLOW="1h",  # a line for what was slow would be one too many
        **variables,
    )  # fmt: skip
    words = [*(RUN if watched else ()), *command(port)]
    store = folder / ".apm-agent" / "apm.db"
    shutil.rmtree(store.parent, ignore_errors=True)
    with running(words, port=port, env=env, cwd=folder) as program:
        answers = [ask(port, request) for request in asked]
        if at_once:
            answers += ask_at_once(port, at_once)
        found = recorded(store, len(answers)) if watched or variables else []
        assert "apm-agent" not in "\n".join(program.output.splitlines()[1:]), program.output
    if not watched and not variables:
        assert not store.exists()
    return answers, found


def recorded(store: Path, wanted: int) -> list[Seen]:
    """What a store holds in the order it began, as soon as it holds enough; workers write once a second."""
    deadline = time.monotonic() + 20
    while True:
        found = _read(store)
        if len(found) >= wanted or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def _read(store: Path) -> list[Seen]:
    if not store.exists():
        return []
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        try:
            rows = connection.execute(
                "SELECT e.kind, e.name, x.status, x.queries, t.data FROM transactions x"
                " JOIN endpoints e ON e.id = x.endpoint_id LEFT JOIN traces t ON t.transaction_id = x.id"
                " ORDER BY x.started_at"
            ).fetchall()
            functions = dict(connection.execute("SELECT id, function FROM frames"))
        except sqlite3.OperationalError:
            return []  # the tables are being made
    found = []
    for kind, name, status, queries, data in rows:
        failure = detail.unpack(data).get("failure") if data else None
        told = (failure["type"], functions.get(failure["frame_id"], "")) if failure else None
        found.append(Seen(kind, name, status, told, queries))
    return found


def check(
    command: Command, folder: Path, template: str, watched: bool = True, **variables: str
) -> list[Seen]:
    """Everything that holds for every framework; `template` is how it writes a user's path.

    Wrapped by hand (`watched` is False), its bytes are those of the other tests: the bare site is not asked again.
    """
    answers, found = visit(command, folder, watched=watched, **variables)
    if watched:
        bare, nothing = visit(command, folder, watched=False)
        assert nothing == []
        assert answers == bare
    assert b"user 7" in answers[0]
    assert b"100000" in answers[2]
    agree(found, template)
    return found


def agree(found: list[Seen], template: str) -> None:
    """What was recorded of `ASKED` and `AT_ONCE` is what every framework must be said to have done."""
    assert len(found) == len(ASKED) + len(AT_ONCE), found
    in_turn = [(seen.name, seen.status) for seen in found[: len(ASKED)]]
    assert in_turn == [
        (f"GET {template}", 200), (f"GET {template}", 200), ("POST /echo", 200), ("GET 404", 404),
        ("GET 404", 404), ("GET /stream", 200), ("GET /fail", 500),
    ], found  # fmt: skip
    failures = [seen.failure for seen in found if seen.failure is not None]
    assert failures == [("LookupError", "price")], found
    assert sorted((seen.name, seen.queries) for seen in found[len(ASKED) :]) == [
        ("GET /left", 3), ("GET /right", 5),
    ], found  # fmt: skip
    assert {seen.kind for seen in found} == {"web"}


#: The same application as `wrapped.app`, wrapped by hand when `WRAPPED` names a protocol.
_WRAPPED = """
import os
from site_ import app
if os.environ.get("WRAPPED"):
    import apm_agent
    app = getattr(apm_agent, os.environ["WRAPPED"])(app)
"""


def write(folder: Path, site: str) -> Path:
    """Put a site and what it imports into a folder: `site_:app`, and `wrapped:app`."""
    for name, text in {"common": COMMON, "site_": site, "wrapped": _WRAPPED}.items():
        (folder / f"{name}.py").write_text(text)
    return folder
