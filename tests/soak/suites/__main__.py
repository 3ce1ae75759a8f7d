"""The own test suites of Flask, Starlette, Werkzeug and Django, without the agent and under it.

python tests/soak/suites [flask starlette werkzeug django]

Each suite has its own environment and its sources at the version our tests use, below .venv-suites. Ends with 1 when
a test fails only with the agent, when a run came to no end, when other tests ran, or when no process
was watched. What
fails without the agent too (as root, or for want of something on the machine) is counted and not ours.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import results
import rooms
from suites import SUITES

#: Seconds one run of a suite may take.
LIMIT = 480


def main() -> int:
    """A line a suite, and below it each test that fails only with the agent."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [suite.package for suite in SUITES]
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(names)}; all if none")
    chosen = parser.parse_args().suites
    if unknown := [name for name in chosen if name not in names]:
        parser.error(f"there is no suite {unknown[0]!r}; suites are {', '.join(names)}")
    good = [_compare(rooms.make(suite)) for suite in SUITES if not chosen or suite.package in chosen]
    return 0 if all(good) else 1


def _compare(room: rooms.Room) -> bool:
    with tempfile.TemporaryDirectory(prefix="apm-suites-") as folder:
        here = Path(folder)
        plain = _run(room, here, watched=False)
        seen = _run(room, here, watched=True)
        processes, transactions = _recorded(here / "apm.db")
        title = f"{room.suite.package} {room.version}"
        if plain is None or seen is None:
            print(
                f"{title}: the run {'without' if plain is None else 'with'} the agent came to no end",
                flush=True,
            )
            return False
        only = sorted(seen.failed - plain.failed)
        print(
            f"{title}: {plain.ran} tests, {len(plain.failed)} fail without the agent; "
            f"{seen.ran} tests, {len(seen.failed)} fail with it, {len(only)} of them only then; "
            f"{processes} processes and {transactions} transactions recorded",
            flush=True,
        )
        for name in only:
            print(f"  fails only with the agent: {name}", flush=True)
        return not only and seen.ran == plain.ran and (processes > 0 or not room.suite.told)


def _run(room: rooms.Room, here: Path, *, watched: bool) -> results.Result | None:
    report = here / f"{'watched' if watched else 'plain'}.xml"
    command = [str(room.python), *room.suite.command(str(report))]
    if watched:
        store = ["--no-dashboard", "--store", str(here / "apm.db")]
        command = [str(room.python), "-m", "apm_agent", "run", *store, "--", *command]
    folder = here / report.stem
    folder.mkdir()
    # The tests start programs by name, and settings of whoever runs this are none of theirs.
    around = {k: v for k, v in os.environ.items() if not k.startswith(("APM_AGENT_", "PYTHON", "PYTEST"))}
    around |= {"PATH": f"{room.python.parent}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(folder)}
    said = here / f"{report.stem}.txt"
    with _boot(room) if watched else nullcontext(), said.open("wb") as out:
        try:
            subprocess.run(
                command,
                cwd=room.sources / room.suite.folder,
                env=around,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
    if room.suite.runner == "pytest":
        return results.of_pytest(report)
    return results.of_django(said.read_text(errors="replace"))


@contextmanager
def _boot(room: rooms.Room) -> Iterator[None]:
    """Some tests start processes with a PYTHONPATH of their own, and those would not be watched."""
    (folder,) = (room.python.parents[1] / "lib").glob("python*/site-packages")
    path = folder / "apm-agent-boot.pth"
    path.write_text(f"{rooms.ROOT / 'apm_agent' / 'cli' / 'boot'}\n")
    try:
        yield
    finally:
        path.unlink()


def _recorded(store: Path) -> tuple[int, int]:
    """Processes and transactions: proof that the agent was there."""
    if not store.is_file():
        return 0, 0
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        said = "SELECT (SELECT count(*) FROM processes), (SELECT count(*) FROM transactions)"
        try:
            processes, transactions = connection.execute(said).fetchone()
        except sqlite3.OperationalError:  # a process was killed while it made the store
            return 0, 0
        return int(processes), int(transactions)


if __name__ == "__main__":
    sys.exit(main())
