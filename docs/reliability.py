"""Writes reliability.md: the failures that users reported of every agent, and the tests that hold them off, by name.

    python docs/reliability.py            write the page; `make docs` does
    python docs/reliability.py --check    end with 1 and say so when it differs from the tests
    python docs/reliability.py --ran REPORT.xml          note what `pytest --junitxml REPORT.xml` said of each row
    python docs/reliability.py --soaked tests/soak/chaos.py 0    note what a long run ended with, as `make soak` does

A test belongs to each row its name begins with (``test_r12_r43_…``), a long run to each row its constant ROWS names.
What was noted is in reliability.json, and is the column *last result*.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import json
import platform
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
NOTED = ROOT / "docs" / "reliability.json"

#: Row → what users reported.
REPORTED = {
    1: (
        "A sampling thread stops the whole interpreter: the garbage collector runs inside the look at "
        "other threads' frames, or the thread keeps the GIL from the application."
    ),
    2: "Reading another thread's frames on a build without the GIL reads memory that is gone.",
    3: (
        "A profiler written in C crashes the process: frames that ended while they were walked, allocator"
        " hooks inside a collection."
    ),
    4: "A process forks while another thread holds one of the agent's locks, and the child waits for ever.",
    5: (
        "A server forks its workers in C, no fork hook of Python runs, and the workers record nothing or "
        "share the parent's state."
    ),
    6: (
        "Workers under gevent or a preloading master do not boot, freeze or crash, because the agent "
        "imported or started something too early."
    ),
    7: (
        "A process does not end: threads are started at exit, a restart hangs, the exit code or the "
        "terminal's output changes."
    ),
    8: "The agent reads a request's body, and the application finds it empty or waits for it for ever.",
    9: "Streamed answers are closed early, timed as nothing, or lose what happened inside them.",
    10: "A context is reset in another context than it was set in, and each stream logs an error.",
    11: "A long websocket counts as one slow request, and memory grows with every message.",
    12: (
        "A wrapped function is not what it was: a coroutine no longer awaited, a pipeline that never "
        "runs, another signature or class."
    ),
    13: "A new release of a library the agent depends on takes the application down.",
    14: "The transaction is lost behind other middlewares, or in threads that a framework starts.",
    15: "One middleware that is not async costs the whole chain a change of threads.",
    16: "Looking at the user or the session changes the answer's headers.",
    17: "Connections wrapped in proxies fail the type checks of drivers written in C.",
    18: "What raises leaves spans, transactions or connections open.",
    19: "While its backend is away, the agent's queue grows without end.",
    20: "Requests, answers and exceptions are kept in memory after they are over.",
    21: "The same application leaks or is named differently under another server or protocol.",
    22: "A long job with very many spans eats memory, or slows down with every one.",
    23: "A task left behind goes on adding to a request that is long over.",
    24: "Work handed to threads and executors is not seen.",
    25: "What was recorded is lost when workers are recycled, aborted or killed.",
    26: "An idle process burns processor time.",
    27: "The first request stalls, or starting takes seconds.",
    28: "Each release costs a little more than the one before, and nobody notices.",
    29: "One plain request becomes several records.",
    30: "Instrumenting by command does not reach workers, reloaders and spawned children.",
    31: "Names that never repeat fill memory and disk.",
    32: "Secrets and personal data end up in what is stored.",
    33: "The agent's own network set-up is blocked, and with it the application.",
    34: (
        "The monitor's own store is locked, full, damaged or gone, and users of the application get errors."
    ),
    35: "Processes that start at once race for the schema, and the server does not come up.",
    36: "What is promised to be deleted is not, and the disk fills.",
    37: "A process is killed in the middle of writing, and the file is damaged.",
    38: "The dashboard answers strangers.",
    39: "Hostile names and values are stored whole and shown as markup, or break a page.",
    40: "State is changed by a GET, or by a page of somebody else.",
    41: "A misspelt setting is ignored, and one that is set does nothing.",
    42: "The wall clock is set, and durations turn negative or questions fail.",
    43: "Two installs, two middlewares or a reload count everything twice.",
    44: "A new version meets an old file, or an old version a new one.",
}

#: Row → what its tests do not show; said here so that nobody takes a row for more than it is.
LIMITS = {
    1: (
        "The deadlock itself was never seen here; the long run is what stands in for its reporters' machines."
    ),
    2: "A build without the GIL is pretended by its own flag, for the sampler alone; none is run.",
    3: "Nothing of ours is compiled; the test walks frames that end meanwhile.",
    5: "uWSGI up to 2.0.26, which has threads only where it is told so, was tried by hand; a current one always has.",
    6: "gunicorn's worker for eventlet is not run: gunicorn gives it up.",
    28: "Calls are counted, not times: those need a quiet machine and `make bench`.",
    34: (
        "How much slower a request is meanwhile is told by the long run and not asserted: times are for a quiet "
        "machine. Where bits turn, what is still a number that may be cannot be told."
    ),
    36: (
        "A small file is filled; a million transactions pass in `benchmarks/store_cap.py`, which also tells how long a "
        "writer waits."
    ),
    41: "That some test sets each setting is looked for by its name, not what that test shows.",
    42: "The clock of a process is stepped; no machine is suspended.",
}
_NAME = re.compile(r"(?:r(\d\d)_)")


def rows_of(name: str) -> list[int]:
    """The rows that a test's name, or a file's, begins with."""
    found, rest = [], name
    while match := _NAME.match(rest):
        found.append(int(match[1]))
        rest = rest[match.end() :]
    return found


def tests() -> dict[int, dict[str, list[str]]]:
    """Row → file of tests → what its tests say."""
    found: dict[int, dict[str, list[str]]] = defaultdict(dict)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "node_modules" in path.parts:
            continue
        names = re.findall(r"^ *(?:async )?def test_(\w+)", path.read_text(), re.M)
        for name in names:
            for row in rows_of(name):
                said = re.sub(r"^(?:r\d\d_)+", "", name).replace("_", " ")
                found[row].setdefault(path.relative_to(ROOT).as_posix(), []).append(said)
    return found


def runs() -> dict[int, dict[str, str]]:
    """Row → long run → what it says of itself."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for path in sorted((ROOT / "tests" / "soak").glob("*.py")):
        tree = ast.parse(path.read_text())
        said = (ast.get_docstring(tree) or "").splitlines()[0].rstrip(".")
        rows = rows_of(path.name)
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROWS":
                rows = [*rows, *ast.literal_eval(node.value)]
        for row in rows:
            found[row][path.relative_to(ROOT).as_posix()] = said
    return found


def noted() -> dict[str, Any]:
    """What ran last: outcomes by test's file and row, long runs by file."""
    return json.loads(NOTED.read_text()) if NOTED.exists() else {"rows": {}, "runs": {}}


def ran(reports: list[str]) -> None:
    """Note what pytest's reports say of each row; rows that did not run whole keep what was noted of them."""
    counted: dict[int, Counter[str]] = defaultdict(Counter)
    seen: dict[int, set[str]] = defaultdict(set)
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            name = case.get("name", "")
            outcome = next(
                (part.tag for part in case if part.tag in ("failure", "error", "skipped")), "passed"
            )
            for row in rows_of(name.removeprefix("test_")):
                counted[row]["failed" if outcome in ("failure", "error") else outcome] += 1
                seen[row].add(re.sub(r"^test_(?:r\d\d_)+|\[.*", "", name).replace("_", " "))
    known = noted()
    for row, files in tests().items():
        if seen[row] >= {said for names in files.values() for said in names}:
            known["rows"][str(row)] = {**counted[row], **_when()}
    _note(known)


def soaked(path: str, code: str) -> None:
    """Note what a long run ended with."""
    known = noted()
    known["runs"][path] = {"passed" if code == "0" else "failed": 1, **_when()}
    _note(known)


def _when() -> dict[str, str]:
    return {"day": datetime.date.today().isoformat(), "python": ".".join(platform.python_version_tuple()[:2])}


def _note(known: dict[str, Any]) -> None:
    known["rows"] = dict(sorted(known["rows"].items(), key=lambda each: int(each[0])))
    NOTED.write_text(json.dumps(known, indent=1, sort_keys=False) + "\n")


def _said(one: dict[str, Any] | None) -> str:
    """A noted outcome in words; empty where nothing was noted."""
    if one is None:
        return ""
    outcomes = [f"**{one['failed']} failed**"] if one.get("failed") else []
    outcomes += [f"{one[each]} {each}" for each in ("passed", "skipped") if one.get(each)]
    return f"{', '.join(outcomes)}, {one['day']}, Python {one['python']}"


def page() -> str:
    """The whole page as it should be."""
    tested, long, known = tests(), runs(), noted()
    counted = sum(len(said) for files in tested.values() for said in files.values())
    text = [
        "# What must not happen",
        "",
        "Each row is a failure that users reported of one agent or another, and the tests that hold it off here. This",
        "page is written by `make docs` from the tests' own names; a test fails when a row has none or the page is",
        "behind.",
        "",
        f"{len(REPORTED)} rows, {counted} tests in `make test`, "
        f"{len({file for files in long.values() for file in files})} long runs in `make soak`.",
        "",
        "A test is counted once here, and as often as it ran, by its parameters and what it is run under, in the last",
        "result.",
        "",
        "| Row | What users reported | `make test` | `make soak` | Last result of its tests |",
        "|---|---|---|---|---|",
    ]
    for row, reported in REPORTED.items():
        count = sum(len(said) for said in tested[row].values())
        last = _said(known["rows"].get(str(row)))
        text.append(f"| [R{row}](#r{row}) | {reported} | {count or ''} | {len(long[row]) or ''} | {last} |")
    for row, reported in REPORTED.items():
        text += ["", f"## R{row}", "", reported]
        if row in LIMITS:
            text += ["", f"Not shown: {LIMITS[row]}"]
        text.append("")
        text += [f"- `{file}` (`make test`): {'; '.join(said)}" for file, said in tested[row].items()]
        for file, said in long[row].items():
            last = _said(known["runs"].get(file)).removeprefix("1 ").replace("**1 failed**", "**failed**")
            text.append(f"- `{file}` (`make soak`{': ' + last if last else ''}): {said}")
    return "\n".join(text) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--ran", action="append", metavar="REPORT.xml", default=[])
    parser.add_argument("--soaked", nargs=2, metavar=("FILE", "CODE"))
    options = parser.parse_args()
    if options.ran:
        ran(options.ran)
    if options.soaked:
        soaked(*options.soaked)
    text = page()
    if options.check:
        same = PAGE.exists() and text == PAGE.read_text()
        print(
            "docs/reliability.md is as the tests" if same else "docs/reliability.md differs; run: make docs"
        )
        return 0 if same else 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
