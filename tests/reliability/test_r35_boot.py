"""R35: many processes that start on an empty folder at once make one schema, and none of them fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from apm_agent.store.schema import VERSION
from records import rows, sums_agree

PROCESSES, BOOTS = 8, 4

BOOT = """
import sys, time
sys.path[:0] = {path!r}
from records import process, record
from apm_agent.store import open_store
import apm_agent.store.sqlite
boot = {boot!r}
time.sleep(max(0, float(sys.argv[2]) - time.time()))
for n in range(int(sys.argv[3])):
    store = open_store("sqlite:///" + boot + "/" + str(n) + "/.apm-agent/apm.db", process())
    store.write([record() for _ in range(3)])
    store.close()
"""


def boot(folder: Path, processes: int, boots: int) -> None:
    """Start so many processes that open so many new stores, each at the same moment as the others."""
    import time

    script = BOOT.format(path=sys.path, boot=str(folder))
    command = [sys.executable, "-c", script, "boot", str(time.time() + 1.0), str(boots)]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(processes)]
    said = [each.communicate(timeout=120)[1].decode() for each in started]
    assert [each.returncode for each in started] == [0] * processes, said


def agrees(folder: Path, processes: int, boots: int) -> None:
    """Each store has one schema, and all that its processes wrote."""
    for n in range(boots):
        path = folder / str(n) / ".apm-agent" / "apm.db"
        assert rows(path, "SELECT count(*) FROM _sqlite_migrations") == [(VERSION,)]
        assert rows(path, "PRAGMA auto_vacuum") == [(2,)]
        assert rows(path, "SELECT count(*) FROM transactions") == [(3 * processes,)]
        assert rows(path, "SELECT count(*) FROM endpoints") == [(1,)]
        assert sums_agree(path)


def test_r35_processes_that_start_at_once_make_one_schema(tmp_path: Path) -> None:
    boot(tmp_path, PROCESSES, BOOTS)
    agrees(tmp_path, PROCESSES, BOOTS)
