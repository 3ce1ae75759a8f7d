"""What profilers say against what is true, and what each costs, in one run: `python benchmarks/profilers`.

Accuracy: every profiler watches the same work in a process of its own. *Error* is the largest difference, in points,
of one function's share from the truth that the workers timed themselves in that very process (wall time; processor
time for yappi cpu). Cost: with and without a profiler take turns in one process, batch by batch; a ratio is the median
of each turn's with ÷ without, and py-spy's own processor time is counted.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import accuracy_table
import cost_table
from starting import PY_SPY

_OTHERS = ("pyinstrument", "yappi")


def main() -> int:
    """Both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of work a profiler and workload (20)")
    parser.add_argument("--turns", type=int, default=20, help="of the second table (20)")
    parser.add_argument("--rate", type=float, default=100.0, help="looks a second of the first table (100)")
    parser.add_argument(
        "--budget", type=float, default=0.01, help="share of a core ours may take in the first table (0.01)"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workload", default="", help="only workloads with this in their name")
    parser.add_argument("--watch", action="append", default=[], help="only these profilers, ours besides")
    parser.add_argument("--table", choices=("both", "accuracy", "cost"), default="both")
    options = parser.parse_args()
    missing = [name for name in _OTHERS if importlib.util.find_spec(name) is None]
    if missing or not Path(PY_SPY).exists():
        parser.error("the other profilers are not here; cure: pip install -e '.[bench]'")
    breaches = 0
    print(f"CPython {sys.version.split()[0]}, seed {options.seed}")
    if options.table != "cost":
        breaches += accuracy_table.show(options)
    if options.table != "accuracy":
        breaches += cost_table.show(options)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
