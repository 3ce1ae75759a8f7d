"""R24: work handed to threads belongs to the transaction that handed it on, whichever way that was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from apm_agent.queries.detail import unpack
from records import rows
from servers import PYTHON, environment

pytestmark = pytest.mark.server

#: What the program opens; `not given` has no transaction to be in.
NAMES = {"outer", "submit", "map", "to_thread", "run_in_executor", "anyio", "given", "not given"}
PROGRAM = """
import asyncio, contextvars, threading
from concurrent.futures import ThreadPoolExecutor
import anyio
import apm_agent as apm

apm.install()

def work(name):
    with apm.span(name):
        pass

@apm.background_transaction("pools")
def pools():
    with apm.span("outer"), ThreadPoolExecutor(2) as pool:
        pool.submit(work, "submit").result()
        list(pool.map(work, ["map"]))

@apm.background_transaction("loop")
async def loop():
    await asyncio.to_thread(work, "to_thread")
    await asyncio.get_running_loop().run_in_executor(None, work, "run_in_executor")
    await anyio.to_thread.run_sync(work, "anyio")

@apm.background_transaction("threads")
def threads():
    here = contextvars.copy_context()
    for target in (lambda: here.run(work, "given"), lambda: work("not given")):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()

pools()
asyncio.run(loop())
threads()
apm.flush()
"""


def test_r24_work_in_threads_and_executors_is_the_transactions(tmp_path: Path) -> None:
    """A thread of one's own is told by giving it the context; one that was not told is outside."""
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [PYTHON, "program.py"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    kept = rows(
        tmp_path / ".apm-agent" / "apm.db",
        "SELECT e.name, d.data FROM transactions t JOIN endpoints e ON e.id = t.endpoint_id"
        " JOIN traces d ON d.transaction_id = t.id",
    )
    named = {}
    for name, data in kept:
        spans = unpack(data)["spans"]
        own = {number: each[2] for number, each in enumerate(spans) if each[2] in NAMES}  # locks wait, too
        named[name] = [(own[number], own.get(spans[number][0])) for number in own]
    assert named["pools"] == [("outer", None), ("submit", "outer"), ("map", "outer")]
    assert named["loop"] == [("to_thread", None), ("run_in_executor", None), ("anyio", None)]
    assert named["threads"] == [("given", None)]
