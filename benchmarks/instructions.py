"""What the agent adds to a request, counted instead of timed: figures that no neighbour's load moves.

    python benchmarks/instructions.py [--case flask] [--machine]

For each case of `overhead.py`, on the request's own thread and per request: the interpreter's instructions, calls of
functions in Python and calls into C, with the agent less without. They say where work was added or saved, and are the
same each time; what one costs is not: a read of the process's memory is one call into C and a microsecond.

`--machine` counts the processor's instructions in user space instead, with valgrind, which must be installed. It takes
half a minute a case, sees the garbage collector too, and moves by a percent.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from overhead import CASES

#: Counted before: caches fill, names are learned, the interpreter adapts its code.
WARM = 200
#: Requests counted under valgrind.
REQUESTS = 500
KINDS = ("instructions", "calls", "C calls")


def count(run: Callable[[int], None]) -> dict[str, float]:
    """What the interpreter does in one request: the median of many, each by itself."""
    found = dict.fromkeys(KINDS, 0)
    each: dict[str, list[int]] = {kind: [] for kind in KINDS}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "call":
            frame.f_trace_opcodes = True
        elif event == "opcode":
            found["instructions"] += 1
        return trace

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            found["calls"] += 1
        elif event == "c_call":
            found["C calls"] += 1

    gc.disable()
    for watch, watcher, kinds in (
        (sys.settrace, trace, ("instructions",)),
        (sys.setprofile, profile, ("calls", "C calls")),
    ):
        for _ in range(21):
            found.update(dict.fromkeys(KINDS, 0))
            watch(watcher)
            run(1)
            watch(None)
            for kind in kinds:
                each[kind].append(found[kind])
    return {kind: statistics.median(counts) for kind, counts in each.items()}


def worker(case: str, requests: int) -> None:
    """Run a case; count what it does if no number of requests is given."""
    run = CASES[case]()
    run(WARM)
    if requests:
        os.getpgrp()
        run(requests)
        os.getppid()
    else:
        print(json.dumps(count(run)))


def _command(case: str, requests: int = 0) -> list[str]:
    return [sys.executable, __file__, "--worker", case, "--requests", str(requests)]


def _environment(mode: str, folder: str) -> dict[str, str]:
    store = f"sqlite:///{folder}/{mode}/apm.db"
    return {**os.environ, "MODE": mode, "APM_AGENT_STORE": store, "PYTHONHASHSEED": "0"}


def counted(case: str, mode: str, folder: str) -> dict[str, float]:
    """The figures of one case, bare or with the agent."""
    out = subprocess.run(
        _command(case), env=_environment(mode, folder), capture_output=True, text=True, check=True
    )
    answer: dict[str, float] = json.loads(out.stdout.splitlines()[-1])
    return answer


def executed(case: str, mode: str, folder: str) -> float:
    """Machine instructions of one request on its thread, between the two calls by which `worker` marks them."""
    out = Path(folder, f"{case}-{mode}")
    valgrind = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
    marks = ["--zero-before=getpgrp", "--dump-before=getppid"]
    command = [*valgrind, *marks, *_command(case, REQUESTS)]
    subprocess.run(command, env=_environment(mode, folder), capture_output=True, check=True)
    counted = Path(f"{out}.1-01").read_text()
    return int(re.findall(r"^(?:totals|summary): (\d+)", counted, re.MULTILINE)[-1]) / REQUESTS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--machine", action="store_true")
    parser.add_argument("--worker")
    parser.add_argument("--requests", type=int, default=0)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.requests)
        return
    kinds = ("machine",) if options.machine else KINDS
    print(
        f"Python {sys.version.split()[0]}, added to a request\n{'case':22}"
        + "".join(f"{k:>14}" for k in kinds)
    )
    with tempfile.TemporaryDirectory() as folder:
        for case in options.case or CASES:
            if options.machine:
                added = {"machine": executed(case, "agent", folder) - executed(case, "bare", folder)}
            else:
                agent, bare = counted(case, "agent", folder), counted(case, "bare", folder)
                added = {kind: agent[kind] - bare[kind] for kind in kinds}
            print(f"{case:22}" + "".join(f"{added[kind]:14.1f}" for kind in kinds), flush=True)


if __name__ == "__main__":
    main()
