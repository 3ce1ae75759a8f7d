"""`apm-agent compare`: two files, two releases; as a table, as Markdown, as JSON."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from apm_agent.store.sqlite import SQLiteStore
from records import process, record
from servers import PYTHON, environment


def keep(path: Path, name: str, calls: int, ms: int, **fields: str) -> Path:
    store = SQLiteStore(str(path), process(**fields))
    store.write([record(name, duration_ns=ms * 1_000_000) for _ in range(calls)])
    store.close()
    return path


def apm_compare(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "apm_agent", "compare", *map(str, arguments)],
        cwd=cwd, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return keep(tmp_path / "a.db", "GET /orders", 40, 20), keep(tmp_path / "b.db", "GET /orders", 50, 30)


def test_two_files(files: tuple[Path, Path], tmp_path: Path) -> None:
    done = apm_compare("a.db", "b.db", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("a.db → b.db\n40 calls before, 50 after; times are per call\n")
    assert "20 ms" in done.stdout
    assert "+50.0%" in done.stdout
    assert "GET /orders" in done.stdout
    assert "Too few" not in done.stdout


def test_as_markdown_and_as_json(files: tuple[Path, Path], tmp_path: Path) -> None:
    text = apm_compare("a.db", "b.db", "--markdown", cwd=tmp_path).stdout
    assert text.startswith("# a.db → b.db\n")
    assert r"| 20 ms | 30 ms | +50.0% \* | mean |" in text
    found = json.loads(apm_compare("a.db", "b.db", "--json", cwd=tmp_path).stdout)
    changed = {"before": 20.0, "after": 30.0, "change": 0.5, "sureness": 99.0, "significant": True}
    assert found["kpi"]["mean_ms"] == changed
    assert found["flame"]["calls"] == {"before": 40, "after": 50}


def test_two_releases_of_the_store(tmp_path: Path) -> None:
    keep(tmp_path / "apm.db", "GET /orders", 30, 20, release="1.0")
    keep(tmp_path / "apm.db", "GET /orders", 29, 10, release="1.1")
    done = apm_compare(
        "release:1.0", "release:1.1", "--store", "apm.db", "--endpoint", "GET /orders", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "release:1.0 → release:1.1" in done.stdout
    assert "Too few to rank: 30 calls before and 29 after" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.db", "nothere.db"), "'nothere.db' is neither a file nor one of range:6h"),
        (("a.db", "release:9", "--store", "a.db"), "there is no release '9'"),
        (("a.db", "b.db", "--endpoint", "GET /x"), "neither side has a transaction"),
        (("a.db", "b.db", "--kind", "x"), "kind='x' is not one of"),
        (("a.db", "rubbish.db"), "is damaged"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    arguments: tuple[str, ...], words: str, files: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "rubbish.db").write_bytes(b"no database at all" * 100)
    done = apm_compare(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr


def test_r39_hostile_names_break_no_terminal_and_no_table(tmp_path: Path) -> None:
    hostile = "GET /\x1b[2J|<script>`\n# x"
    for name in ("a.db", "b.db"):
        keep(tmp_path / name, hostile, 40, 20)
    text = apm_compare("a.db", "b.db", cwd=tmp_path).stdout
    assert "\x1b" not in text
    assert "<script>" in text
    markdown = apm_compare("a.db", "b.db", "--markdown", cwd=tmp_path).stdout
    assert "\x1b" not in markdown
    assert "\\|\\<script\\>" in markdown
    assert "\n# x" not in markdown
