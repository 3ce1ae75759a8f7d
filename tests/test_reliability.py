"""Every failure that users reported has its test, and docs/reliability.md says which."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def load() -> ModuleType:
    path = Path(__file__).parents[1] / "docs" / "reliability.py"
    spec = importlib.util.spec_from_file_location("reliability", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reliability = load()
TESTS, RUNS = reliability.tests(), reliability.runs()


def test_the_page_is_what_the_tests_are() -> None:
    assert reliability.PAGE.read_text() == reliability.page(), (
        "docs/reliability.md differs from the tests; run: make docs"
    )


def test_rows_are_those_there_are() -> None:
    assert list(reliability.REPORTED) == list(range(1, 45))
    named = {*TESTS, *RUNS, *reliability.LIMITS}
    assert named <= set(reliability.REPORTED), "a test is named after a row that nobody wrote down"


@pytest.mark.parametrize("row", reliability.REPORTED)
def test_each_row_has_its_test(row: int) -> None:
    assert TESTS[row] or RUNS[row]


def test_a_name_tells_all_its_rows() -> None:
    assert reliability.rows_of("r12_r43_kinds_are_kept") == [12, 43]
    assert reliability.rows_of("r04_while_writing_r05") == [4]
    assert reliability.rows_of("signatures_are_kept") == []
