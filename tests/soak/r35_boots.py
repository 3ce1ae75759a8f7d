"""Soak for R35: a hundred times eight processes begin at once on an empty folder; none fails, one schema is made.

python tests/soak/r35_boots.py [--boots 100] [--workers 8]

The odd boots are of a real server whose workers serve at once; the even ones of plain processes that open the store
at the same moment. Ends with 1 on a breach.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reliability"))

from test_r35_boot import agrees, boot

from records import rows, sums_agree
from witness import load, serving, until


def of_a_server(folder: Path, workers: int) -> str:
    """What went wrong when a server began with so many workers and as many clients; empty if nothing."""
    with serving(folder, "--workers", str(workers)) as site:
        with load(site, workers) as statuses:
            if not until(lambda: len({each.pid for each in site.served()}) == workers):
                return f"only {len({each.pid for each in site.served()})} workers served"
        if set(statuses) != {200}:
            return f"answered {sorted(set(statuses))}"
    said = [line for line in site.program.output.splitlines() if "apm-agent" in line or "Traceback" in line]
    if said:
        return " / ".join(said[:3])
    if {(each.pid, each.path) for each in site.served()} != site.kept():
        return "what was served is not what was kept"
    whole = rows(site.store, "PRAGMA integrity_check") == [("ok",)] and sums_agree(site.store)
    return "" if whole else "damaged"


def of_processes(folder: Path, workers: int) -> str:
    """The same of processes that do nothing else."""
    try:
        boot(folder, workers, 1)
        agrees(folder, workers, 1)
    except AssertionError as error:
        return str(error).splitlines()[0]
    return ""


def main() -> int:
    """Boot by boot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--boots", type=int, default=100)
    parser.add_argument("--workers", type=int, default=8)
    options, _ = parser.parse_known_args()  # the options of other soaks are not for this one
    began, wrong = time.monotonic(), 0
    for number in range(options.boots):
        with tempfile.TemporaryDirectory() as folder:
            said = (of_a_server if number % 2 else of_processes)(Path(folder), options.workers)
        if said:
            wrong += 1
            print(f"boot {number}: {said}", flush=True)
    took = time.monotonic() - began
    print(f"{options.boots} boots of {options.workers}: {wrong} went wrong, {took:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
