"""What a run of a suite came to: how many tests ran, and which of them failed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

#: `FAIL: test_x (module.Class.test_x)` and the like, as unittest heads each failure.
_HEAD = re.compile(r"^(?:ERROR|FAIL|UNEXPECTED SUCCESS): (\S+) \(([^)]+)\)", re.MULTILINE)
_RAN = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)


class Result(NamedTuple):
    """Tests that ran, skipped ones among them, and the names of those that failed."""

    ran: int
    failed: frozenset[str]


def of_pytest(report: Path) -> Result | None:
    """Read from a JUnit report; None where the run died before it wrote one."""
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return None
    failed = (
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    )
    return Result(len(cases), frozenset(failed))


def of_django(said: str) -> Result | None:
    """Read from what unittest printed; None where the run died before its end."""
    ran = _RAN.findall(said)
    if not ran:
        return None
    return Result(int(ran[-1]), frozenset(f"{where}::{name}" for name, where in _HEAD.findall(said)))
