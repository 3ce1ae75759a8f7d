"""Soak for R37: 200 workers of a real server killed under load; the file is whole after each, and what is lost told.

python tests/soak/r37_kill.py [--kills 200] [--interval 1.0]

The application writes down itself what it answered; what of it is not in the store must be the last that a killed
worker answered, and no more than one interval of it. Ends with 1 on a breach.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from records import rows, sums_agree
from witness import Site, kill_workers, load, of_first, serving, until

#: Seconds that a write may take, or wait for the other worker, on a machine with other work.
WRITE = 1.0


class Taken(NamedTuple):
    """What a killed worker took with it; `gaps` are lost though something answered after them is kept."""

    pid: int
    answered: int
    lost: int
    over_ns: int
    gaps: int


def taken(site: Site, killed: list[int]) -> list[Taken]:
    """Told of each worker, so that one that lost what it must not does not hide the others."""
    kept, served = site.kept(), site.served()
    found = []
    for pid in killed:
        answered = of_first(served, pid)
        missing = [(pid, each.path) not in kept for each in answered]
        last = next((n for n, gone in enumerate(reversed(missing)) if not gone), len(missing))
        over = answered[-1].at - answered[len(answered) - last].at if last else 0
        found.append(Taken(pid, len(answered), last, over, sum(missing) - last))
    return found


def main() -> int:
    """All kills, and a table of what each took with it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two writes (1.0)")
    options, _ = parser.parse_known_args()  # the options of other soaks are not for this one
    chance, broken = Random(37), 0
    with tempfile.TemporaryDirectory() as name:
        with serving(Path(name), APM_AGENT_FLUSH_INTERVAL=str(options.interval)) as site:
            killed: list[int] = []
            with load(site) as statuses:
                while len(killed) < options.kills:
                    killed += kill_workers(site, 1, lambda: chance.uniform(0.2, 2 * options.interval))
                    if rows(site.store, "PRAGMA integrity_check") != [("ok",)]:
                        broken += 1
                        print(f"NOT   whole after kill {len(killed)}", flush=True)
                assert until(lambda: site.ask() == 200)
        found = taken(site, killed)
        again = len({(each.pid, each.born) for each in site.served() if each.pid in killed}) - len(killed)
        print("answered   lost   over ms   gaps   (a killed worker a line)")
        for kill in found:
            print(f"{kill.answered:8} {kill.lost:6} {kill.over_ns / 1e6:9.0f} {kill.gaps:6}")
        late = [kill for kill in found if kill.over_ns > (options.interval + WRITE) * 1e9]
        whole = rows(site.store, "PRAGMA integrity_check") == [("ok",)] and sums_agree(site.store)
        broken += (
            len(late) + sum(kill.gaps > 0 for kill in found) + (not whole) + bool(set(statuses) - {0, 200})
        )
        print(
            f"{len(found)} killed, {sum(kill.answered for kill in found)} answered by them,"
            f" {sum(kill.lost for kill in found)} lost, the most {max(kill.lost for kill in found)},"
            f" {sum(kill.gaps for kill in found)} in the middle;"
            f" over at most {max(kill.over_ns for kill in found) / 1e6:.0f} ms of {options.interval * 1000:.0f};"
            f" answers {dict(statuses)}; {again} later workers had the number of a killed one;"
            f" load {os.getloadavg()[0]:.0f}"
        )
    print("All holds." if not broken else f"{broken} of this does not hold.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
