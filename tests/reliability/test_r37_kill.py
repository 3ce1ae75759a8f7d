"""R37: killed in the middle of writing, the file is whole, and nothing in it is half-written."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from random import Random

from apm_agent.store.sqlite import SQLiteStore
from records import process, record, rows, sums_agree

KILLS = 20

WORKER = """
import sys
sys.path[:0] = {path!r}
from records import process, record
from apm_agent.store.sqlite import SQLiteStore
store = SQLiteStore({store!r}, process())
acknowledged = 0
while True:
    store.write([record(f"GET /{{n % 5}}") for n in range(40)])
    acknowledged += 40
    print(acknowledged, flush=True)
"""


def test_r37_kills_in_the_middle_of_writing(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    SQLiteStore(str(path), process()).close()
    chance = Random(11)
    acknowledged = 0
    for _ in range(KILLS):
        script = WORKER.format(path=sys.path, store=str(path))
        worker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        said = 0
        for _ in range(chance.randrange(1, 25)):
            said = int(worker.stdout.readline())
        worker.send_signal(signal.SIGKILL)
        rest = worker.stdout.read().splitlines()
        worker.stdout.close()
        worker.wait(timeout=10)
        whole = [int(line) for line in rest if line.isdigit()]
        acknowledged += max([said, *whole])
        assert rows(path, "PRAGMA integrity_check") == [("ok",)]
        assert sums_agree(path)
        [(kept,)] = rows(path, "SELECT count(*) FROM transactions")
        # At most the one batch that was written and not yet told may be more.
        assert acknowledged <= kept <= acknowledged + 40
        assert kept % 40 == 0
        acknowledged = kept
    store = SQLiteStore(str(path), process())
    store.write([record()])
    store.close()
