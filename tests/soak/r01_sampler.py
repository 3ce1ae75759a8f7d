"""Soak for R1: a sampler at 1 kHz beside threads that make cyclic garbage; every process's heart must go on beating.

python tests/soak/r01_sampler.py [--minutes 5] [--processes 8]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time

from apm_agent.model.transaction import Transaction
from apm_agent.profiling.sampler import Sampler

_THREADS = 6
_LONGEST_SILENCE = 30.0


def churn(sampler: Sampler, until: float) -> None:
    """Transactions that leave cycles with thread-local data behind, as in cpython #106883."""
    while time.monotonic() < until:
        transaction = Transaction("web", "churn", time.monotonic_ns())
        sampler.start(transaction)
        for _ in range(500):
            local = threading.local()
            local.cycle = [local, {"self": local}]
        transaction.end_ns = time.monotonic_ns()
        transaction.ended = True
        sampler.stop(transaction)


def beat(minutes: float) -> None:
    """One process: print a line a second for as long as it lives."""
    sampler = Sampler(0.001, 1.0)
    until = time.monotonic() + minutes * 60
    for _ in range(_THREADS):
        threading.Thread(target=churn, args=(sampler, until), daemon=True).start()
    while time.monotonic() < until:
        print(sampler.stats()["looks"], flush=True)
        time.sleep(1)


def main() -> int:
    """Start the processes and watch their hearts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--beat", action="store_true", help=argparse.SUPPRESS)
    options, _ = parser.parse_known_args()  # the options of other soaks are not for this one
    if options.beat:
        beat(options.minutes)
        return 0
    command = [sys.executable, __file__, "--beat", "--minutes", str(options.minutes)]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(options.processes)
    ]
    last = dict.fromkeys(range(len(children)), time.monotonic())
    looks = dict.fromkeys(last, 0)

    def listen(number: int) -> None:
        for line in children[number].stdout or ():
            last[number], looks[number] = time.monotonic(), int(line)

    for number in last:
        threading.Thread(target=listen, args=(number,), daemon=True).start()
    while any(child.poll() is None for child in children):
        time.sleep(1)
        now = time.monotonic()
        silent = [
            n for n, child in enumerate(children) if child.poll() is None and now - last[n] > _LONGEST_SILENCE
        ]
        if silent:
            print(f"process {silent} stood still for {_LONGEST_SILENCE:.0f} s")
            for child in children:
                child.kill()
            return 1
    print(
        f"{len(children)} processes, {sum(looks.values())} looks, exit {[child.returncode for child in children]}"
    )
    return 0 if not any(child.returncode for child in children) else 1


if __name__ == "__main__":
    sys.exit(main())
