"""What the pages weigh: no address names more than 60 kB of scripts, and all files together stay small."""

from __future__ import annotations

import gzip
import json

import pytest

from apm_agent.web.static import FOLDER

FIRST, ALL = 60_000, 300_000
MANIFEST = json.loads((FOLDER / "manifest.json").read_bytes())


def weight(name: str) -> int:
    data = (FOLDER / name).read_bytes()
    return len(data) if name.endswith(".woff2") else len(gzip.compress(data, 6, mtime=0))


@pytest.mark.parametrize("page", MANIFEST["pages"])
def test_first_scripts_of_a_page(page: str) -> None:
    assert sum(map(weight, MANIFEST["pages"][page]["modules"])) <= FIRST


def test_all_that_pages_may_load() -> None:
    """The script of pages saved as files is put into those, and no page loads it."""
    files = set(MANIFEST["files"]) - {MANIFEST["saved"]["script"]}
    assert sum(map(weight, files)) <= ALL
