"""docs/platforms.md names lines of code for what it says; they are there."""

from __future__ import annotations

import re

import pytest

from servers import ROOT

PAGE = (ROOT / "docs" / "platforms.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "`apm_agent/" in line]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_the_line_is_there(row: str) -> None:
    found = re.search(r"`(apm_agent/[\w/]+\.py)`: `(.+)` \|$", row)
    assert found is not None, "a claim without its line"
    assert found[2] in (ROOT / found[1]).read_text()


def test_what_asks_for_the_system_is_on_the_page() -> None:
    """Whoever adds a line that is different elsewhere says here what it means."""
    asks = re.compile(r"os\.name\b|sys\.platform\b|import fcntl|import termios")
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "apm_agent").rglob("*.py")
        if asks.search(path.read_text())
    }
    told = set(re.findall(r"`(apm_agent/[\w/]+\.py)`", PAGE))
    # The same question as a file above, asked once more.
    again = {"apm_agent/__main__.py"}
    assert files - told - again == set()
