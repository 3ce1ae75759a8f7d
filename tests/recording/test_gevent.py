"""Under gevent the writer is a real thread: it writes while no greenlet gives way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from records import rows

pytest.importorskip("gevent")

SCRIPT = """
{first}
import sys
sys.path[:0] = {path!r}
import apm_agent as apm
{second}
apm.install(store="sqlite:///{store}", flush_interval=0.05)
import os, time

@apm.background_transaction
def job():
    pass

job()
deadline = time.monotonic() + 10
while time.monotonic() < deadline:  # never yields to the hub
    if os.path.exists({store!r}) and apm.agent._agent.writer.carrier.batches:
        break
else:
    sys.exit("a greenlet cannot have written")
job()
sys.exit(0 if apm.flush(5) else 3)
"""
PATCH = "from gevent import monkey; monkey.patch_all()"


@pytest.mark.parametrize("order", ["patched-first", "patched-later"])
def test_it_writes_while_no_greenlet_gives_way(tmp_path: Path, order: str) -> None:
    store = str(tmp_path / "apm.db")
    first, second = (PATCH, "") if order == "patched-first" else ("", PATCH)
    script = SCRIPT.format(path=sys.path, store=store, first=first, second=second)
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(store, "SELECT count(*) FROM transactions") == [(2,)]
