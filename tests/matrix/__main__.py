"""The tests that drive frameworks and libraries, on each Python here, with the oldest and the newest versions.

    python tests/matrix                                   all frameworks on every Python: long
    python tests/matrix --python 3.12 --only flask        a part; names of sets, `frameworks`, `libraries`
    python tests/matrix --only falcon --end oldest --pin falcon=3.1     another version than the oldest noted
    python tests/matrix --only redis --note               keep what came out in docs/ (matrix.json, .md, tested.json)

Environments are made below .venv-matrix and used again. Ends with 1 when a test fails, when a set cannot be installed
or its tests come to no end, or when there is no Python of those asked for.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import outcome
import rooms
from outcome import Outcome
from sets import ENDS, PYTHONS, ROOT, SETS, Set

PLACE = ROOT / ".venv-matrix"
#: Seconds the tests of one set may take.
LIMIT = 600


def main() -> int:
    """A line a set as it ends, then the table."""
    options = _options()
    if options.check:
        print("\n".join(wrong := outcome.wrong()) or "all fits")
        return 1 if wrong else 0
    if options.write:
        outcome.PAGE.write_text(outcome.page())
        return 0
    outcomes: list[Outcome] = []
    for version in options.python:
        python = rooms.interpreter(version)
        if python is None:
            print(f"matrix: Python {version} is not here, not tested", flush=True)
            continue
        for one in _cells(version, python, options):
            outcomes.append(one)
            print(f"matrix: {one.line()}", flush=True)
            for name in one.failures:
                print(f"  {name}", flush=True)
            if options.note:
                outcome.note(one)
    if not outcomes:
        print("matrix: nothing was tested", file=sys.stderr)
        return 1
    print(f"\n{outcome.table(outcomes)}", flush=True)
    return 0 if all(one.good for one in outcomes) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", nargs="+", default=PYTHONS, metavar="X.Y", choices=PYTHONS)
    parser.add_argument("--only", nargs="+", default=["frameworks"], metavar="SET")
    parser.add_argument("--end", nargs="+", default=ENDS, choices=ENDS)
    parser.add_argument(
        "--pin", nargs="+", default=[], metavar="NAME=X.Y", help="beside or in place of the oldest"
    )
    parser.add_argument("--note", action="store_true", help="keep the outcome in docs/")
    parser.add_argument(
        "--check", action="store_true", help="run nothing; end with 1 when docs or sets do not fit"
    )
    parser.add_argument("--write", action="store_true", help="run nothing; write docs/matrix.md")
    parser.add_argument(
        "--tests", nargs="+", default=[], metavar="ARGUMENT", help="in place of the set's own"
    )
    parser.add_argument("--rooms", type=Path, default=PLACE, help="where the environments are")
    options = parser.parse_args()
    groups = {
        "frameworks": [one for one in SETS if one.framework],
        "libraries": [one for one in SETS if not one.framework],
        **{one.name: [one] for one in SETS},
    }
    if unknown := [name for name in options.only if name not in groups]:
        parser.error(f"there is no set {unknown[0]!r}; sets are {', '.join(groups)}")
    if options.note and options.tests:
        parser.error("--note is for a set's own tests; leave out --tests")
    options.sets = list(dict.fromkeys(one for name in options.only for one in groups[name]))
    return options


def _cells(version: str, python: Path, options: argparse.Namespace) -> Iterator[Outcome]:
    place = options.rooms.resolve() / version
    try:
        rooms.newest(python, place)
    except rooms.CannotInstallError as error:
        yield Outcome(version, "all", "newest", said=f"cannot be installed: {error}")
        return
    for one in options.sets:
        for end in options.end:
            yield _cell(one, end, place, options)


def _cell(one: Set, end: str, place: Path, options: argparse.Namespace) -> Outcome:
    version = place.name
    python = base = place / "newest" / "bin" / "python"
    if pins := one.pins(end, version, options.pin):
        try:
            python = rooms.layer(base, place / f"{one.name}-{end}", pins)
        except rooms.CannotInstallError as error:
            return Outcome(version, one.name, end, said=f"cannot be installed: {error}")
    tests = options.tests or [f"tests/{test}" for test in one.tests]
    with tempfile.TemporaryDirectory(prefix="apm-matrix-") as folder:
        Path(folder).chmod(0o755)  # database servers write below it as users of their own
        report = Path(folder) / "report.xml"
        said = _run(python, [*tests, f"--junitxml={report}"], Path(folder))
        versions = rooms.versions(python, one.distributions())
        if said is None:
            return Outcome(version, one.name, end, versions, said=f"came to no end in {LIMIT} s")
        return outcome.read(report, said, Outcome(version, one.name, end, versions))


def _run(python: Path, arguments: list[str], folder: Path) -> str | None:
    """What pytest printed, None when it took too long. Old libraries warn on new Pythons, which is not ours."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--tb=short"]
    command += ["-o", "filterwarnings=default", "--disable-warnings", *arguments]
    # Settings of whoever runs this are none of the tests'.
    around = {k: v for k, v in os.environ.items() if not k.startswith(("APM_AGENT_", "PYTHON", "PYTEST"))}
    around |= {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(folder)}
    around["TESTS_WARNINGS"] = "default"
    with (folder / "said.txt").open("w+") as out:
        running = subprocess.Popen(
            command, cwd=ROOT, env=around, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            running.wait(LIMIT)
        except subprocess.TimeoutExpired:
            _end(running)
            return None
        except KeyboardInterrupt:
            _end(running)
            raise
        out.seek(0)
        return out.read()


def _end(running: subprocess.Popen[bytes]) -> None:
    """Ask pytest first, so that it stops the servers it started, which are in groups of their own."""
    running.send_signal(signal.SIGINT)
    try:
        running.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


if __name__ == "__main__":
    sys.exit(main())
