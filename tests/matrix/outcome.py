"""What came out of each set on each Python: read from pytest's report, shown as a table, kept beside the docs."""

from __future__ import annotations

import datetime
import fcntl
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

from sets import BY_OTHERS, PYTHONS, ROOT, SETS, TESTED

KEPT = ROOT / "docs" / "matrix.json"
PAGE = ROOT / "docs" / "matrix.md"
_HEAD = """# What ran on which Python

Written by `make matrix ARGS=--note`, from [matrix.json](matrix.json). A cell says the version that ran, of the first
library of its set, and how many tests passed; **-n** failed, ~n were skipped. An empty cell was not run. The newest are
the newest that pip finds for that Python. Old libraries warn on new Pythons, so a warning does not fail these tests.

`make matrix` runs the frameworks at both ends on every Python of 3.10 to 3.14 that is on the path or in pyenv, and
says which are not there; `make matrix ARGS="--python 3.12 --only flask"` a part, `--only libraries` the rest. It ends
with 1 when a test fails. Its environments lie below `.venv-matrix`.
"""


@dataclass
class Outcome:
    """One set of versions on one Python."""

    python: str
    set: str
    end: str
    versions: dict[str, str] = field(default_factory=dict)
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    #: Why no test ran.
    said: str = ""
    date: str = ""
    failures: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Something ran and nothing failed."""
        return self.passed > 0 and not self.failed and not self.said

    def line(self) -> str:
        """One line, for whoever waits."""
        which = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        came = self.said or f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
        return f"Python {self.python}, {self.set} {self.end} ({which}): {came}"

    def cell(self) -> str:
        """The same in a table."""
        if self.said:
            return self.said.partition(":")[0]
        first = next(iter(self.versions.values()), "")
        worse = (f" **-{self.failed}**" if self.failed else "") + (
            f" ~{self.skipped}" if self.skipped else ""
        )
        return f"{first}: {self.passed}{worse}"


def read(report: Path, said: str, outcome: Outcome) -> Outcome:
    """Fill in what pytest's JUnit report says, or its last words where it died before writing one."""
    outcome.date = str(datetime.datetime.now(datetime.timezone.utc).date())
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        outcome.said = f"died: {said.strip()[-400:]}"
        return outcome
    for case in cases:
        trouble = case.find("failure") if case.find("failure") is not None else case.find("error")
        if trouble is not None:
            outcome.failed += 1
            why = (trouble.get("message") or "").strip().replace("\n", " ")[:300]
            outcome.failures.append(f"{case.get('classname')}::{case.get('name')}: {why}")
        elif case.find("skipped") is not None:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    if not cases:
        outcome.said = f"no test ran: {said.strip()[-400:]}"
    return outcome


def table(outcomes: list[Outcome]) -> str:
    """A line for each set at each end, a column for each Python."""
    pythons = [one for one in PYTHONS if any(outcome.python == one for outcome in outcomes)]
    lines = dict.fromkeys((one.set, one.end) for one in outcomes)
    order = [one.name for one in SETS]
    cells = {(one.set, one.end, one.python): one.cell() for one in outcomes}
    text = f"| Set | Versions | {' | '.join(pythons)} |\n|{'---|' * (len(pythons) + 2)}\n"
    for name, end in sorted(
        lines, key=lambda line: (order.index(line[0]) if line[0] in order else -1, line[1] == "newest")
    ):
        row = " | ".join(cells.get((name, end, python), "") for python in pythons)
        text += f"| {name} | {end} | {row} |\n"
    return text


def kept() -> list[Outcome]:
    """What came out before, of sets that there still are."""
    names = {one.name for one in SETS}
    found = json.loads(KEPT.read_text() or "[]") if KEPT.is_file() else []
    return [Outcome(**one) for one in found if one["set"] in names]


def note(outcome: Outcome) -> None:
    """Keep one in place of what came out of the same set before; where it is good, its versions are tested ones."""
    with KEPT.open("a+") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX)  # two parts may run at once
        _note(outcome)


def _note(outcome: Outcome) -> None:
    before = [
        one for one in kept() if (one.python, one.set, one.end) != (outcome.python, outcome.set, outcome.end)
    ]
    # What failures say holds paths of this machine.
    plain = replace(
        outcome,
        said=outcome.said.partition(":")[0],
        failures=[name.partition(": ")[0] for name in outcome.failures],
    )
    now = sorted([*before, plain], key=lambda one: (one.set, one.end, PYTHONS.index(one.python)))
    lines = (json.dumps({key: value for key, value in asdict(one).items() if value}) for one in now)
    KEPT.write_text("[\n" + ",\n".join(f"  {line}" for line in lines) + "\n]\n")
    PAGE.write_text(page())
    if outcome.good:
        _note_tested(outcome)


def page() -> str:
    """docs/matrix.md, as it should be."""
    outcomes = kept()
    dates = sorted({one.date for one in outcomes if one.date})
    text = [_HEAD, f"Run from {dates[0]} to {dates[-1]}.\n" if dates else ""]
    if missing := [python for python in PYTHONS if all(one.python != python for one in outcomes)]:
        text.append(f"Not here, so not run: Python {', '.join(missing)}.\n")
    for title, framework in (("Frameworks", True), ("Libraries", False)):
        names = {one.name: one for one in SETS if one.framework is framework}
        if chosen := [one for one in outcomes if one.set in names]:
            text.append(f"## {title}\n\n{table(chosen)}")
            text.append(
                "".join(
                    f"- {name}: {', '.join(names[name].distributions())}\n"
                    for name in names
                    if any(one.set == name for one in chosen)
                )
            )
    if bad := [one for one in outcomes if not one.good]:
        text.append(
            "## Not passed\n\n"
            + "".join(f"- {one.line()}\n" + "".join(f"  - {name}\n" for name in one.failures) for one in bad)
        )
    return "\n".join(text)


def wrong() -> list[str]:
    """What does not fit: the page, tests that are not there, lines of tested.json that no set runs."""
    found = (
        []
        if PAGE.read_text() == page()
        else ["docs/matrix.md differs from docs/matrix.json; run it with --write"]
    )
    found += [
        f"{one.name}: there is no tests/{test}"
        for one in SETS
        for test in one.tests
        if not (ROOT / "tests" / test).exists()
    ]
    files = {f"apm_agent/{file}.py" for one in SETS for file in one.files}
    known = set(json.loads(TESTED.read_text()))
    found += [f"{file} is in no set" for file in sorted(known - files - BY_OTHERS)]
    found += [f"{file} is not in docs/tested.json" for file in sorted(files - known)]
    return found


def _note_tested(outcome: Outcome) -> None:
    known = json.loads(TESTED.read_text())
    (one,) = (one for one in SETS if one.name == outcome.set)
    for file in one.files:
        for name, versions in known[f"apm_agent/{file}.py"].items():
            ran = ".".join(outcome.versions[name].split(".")[:2])
            versions[:] = sorted({*versions, ran}, key=lambda text: tuple(map(int, text.split("."))))
    TESTED.write_text(
        "{\n" + ",\n".join(f"  {json.dumps(file)}: {json.dumps(of)}" for file, of in known.items()) + "\n}\n"
    )
