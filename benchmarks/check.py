"""The gate: the overhead of this commit against `budgets.toml`; ends with 1 on a breach and says how to find its cause.

    python benchmarks/check.py [--rounds 20] [--case flask]

A case over its budget is measured again, twice as long, before it counts: a neighbour's noise passes, a cost stays.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from overhead import CASES, compare

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest

BUDGETS = Path(__file__).with_name("budgets.toml")


def ratios(case: str, rounds: int, folder: str) -> dict[str, float]:
    """Wall and all processor time of a request with the agent ÷ without."""
    row: dict[str, Any] = compare(case, rounds, 400, folder)
    return {"wall": row["ratio"], "cpu": (row["bare_us"] + row["cpu_added_us"]) / row["bare_us"]}


def over(found: dict[str, float], budget: dict[str, float]) -> list[str]:
    """What is above its budget."""
    return [name for name, most in budget.items() if found[name] > most]


def main() -> int:
    """Measure every case that has a budget."""
    budgets: dict[str, dict[str, float]] = tomllib.loads(BUDGETS.read_text("utf-8"))
    unknown = sorted(set(budgets) - set(CASES))
    if unknown:
        raise SystemExit(
            f"{BUDGETS.name} names {unknown[0]!r}, which is no case; there are {', '.join(CASES)}"
        )
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--case", choices=sorted(budgets), action="append")
    options = parser.parse_args()
    breaches = []
    print(f"{'case':22} {'wall':>7} {'budget':>7} {'cpu':>7} {'budget':>7}   (with the agent ÷ bare)")
    for case, budget in budgets.items():
        if options.case and case not in options.case:
            continue
        with tempfile.TemporaryDirectory() as folder:
            found = ratios(case, options.rounds, folder)
        if over(found, budget):
            with tempfile.TemporaryDirectory() as folder:
                found = ratios(case, 2 * options.rounds, folder)
        breach = over(found, budget)
        print(
            f"{case:22} {found['wall']:7.2f} {budget['wall']:7.2f} {found['cpu']:7.2f} {budget['cpu']:7.2f}"
            f"   {'over: ' + ', '.join(breach) if breach else ''}",
            flush=True,
        )
        if breach:
            breaches.append(case)
    if not breaches:
        return 0
    print(f"\nover budget: {', '.join(breaches)}\n{_search(breaches)}")
    return 1


def _search(breaches: list[str]) -> str:
    """How to find the commit: everything since the budgets were last set is under suspicion."""
    set_at = _git("log", "-1", "--format=%H", "--", str(BUDGETS))
    if not set_at:
        return "no history here to search"
    count = _git("rev-list", "--count", f"{set_at}..HEAD")
    cases = " ".join(f"--case {case}" for case in breaches)
    return (
        f"the budgets were set at {set_at[:12]}, {count} commits ago; to find the one that costs:\n"
        f"  git bisect start HEAD {set_at[:12]} && git bisect run {sys.executable} benchmarks/check.py {cases}"
    )


def _git(*words: str) -> str:
    try:
        asked = subprocess.run(
            ["git", *words], capture_output=True, text=True, cwd=BUDGETS.parent, check=False
        )
    except OSError:
        return ""
    return asked.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
