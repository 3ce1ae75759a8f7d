"""Who wrote a line: of real repositories, by git itself, and every way in which there is nothing to tell."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from apm_agent.model.profile import Frame
from apm_agent.model.record import Record, SpanRecord
from apm_agent.queries.blame import blame
from apm_agent.queries.connection import connect
from apm_agent.queries.source import Sources
from apm_agent.store.sqlite import SQLiteStore
from records import process

CODE = "import os\n\n\ndef price(basket):\n    return sum(basket)\n"


def git(folder: Path, *arguments: str, **environment: str) -> str:
    said = subprocess.run(
        ["git", "-c", "user.name=Ann Example", "-c", "user.email=ann@example.com", *arguments],
        cwd=folder, env={**os.environ, **environment}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return said.stdout.strip()


def commit(folder: Path, subject: str) -> str:
    git(folder, "add", "-A")
    git(
        folder,
        "commit",
        "-q",
        "-m",
        subject,
        GIT_AUTHOR_DATE="1700000000 +0000",
        GIT_COMMITTER_DATE="1700000000 +0000",
    )
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "shop.py").write_text(CODE)
    return folder


def ask(
    root: Path, line: int = 5, name: str = "shop.py", path: Path | None = None, ran_at: float = 0.0
) -> dict[str, Any]:
    """Blame of a file that a store names `name`, as the dashboard asks."""
    store = root.parent / "apm.db"
    frame = Frame("price", name, line, "app", str(path or root / name))
    record = Record(1, "web", "GET /", time.time_ns(), 10**7)
    record.spans = [SpanRecord(None, "db", "SELECT", 0, 10, 10, None, frame, None, False)]
    record.kept = "slow"
    writer = SQLiteStore(str(store), process(app_root=str(root)), 2**30)
    writer.write([record], None)
    writer.close()
    with connect(f"sqlite:///{store}") as connection:
        return blame(connection, Sources([str(root)], ran_at or time.time() + 60), name, line)


def test_a_line_is_told_with_its_commit(root: Path) -> None:
    first = commit(root, "Add prices\n\nand a body that is not shown")
    told = ask(root)
    assert told == {
        "file": "shop.py", "line": 5, "why_none": None,
        "blame": {
            "commit": first[:12], "author": "Ann Example", "at": 1_700_000_000, "subject": "Add prices",
            "boundary": False,
        },
    }  # fmt: skip
    (root / "shop.py").write_text(CODE.replace("sum(basket)", "round(sum(basket), 2)"))
    second = commit(root, "Round prices")
    assert ask(root)["blame"] == {
        **told["blame"],
        "commit": second[:12],
        "subject": "Round prices",
        "boundary": False,
    }
    assert ask(root, 1)["blame"]["commit"] == first[:12]


def test_lines_are_found_again_beside_what_is_not_committed(root: Path) -> None:
    first = commit(root, "Add prices")
    (root / "shop.py").write_text(
        "# new\n" + CODE.replace("import os\n", "import os\nimport sys\n") + "# end\n"
    )
    assert ask(root, 7)["blame"]["commit"] == first[:12]
    assert ask(root, 2)["blame"]["commit"] == first[:12]
    assert ask(root, 8)["why_none"] == "line 8 of shop.py is not committed yet"
    (root / "shop.py").write_text("# new\n" + CODE.replace("import os\n", "import os\nimport sys\n"))
    assert ask(root, 3)["why_none"] == "line 3 of shop.py is not committed yet"
    assert ask(root, 6)["blame"]["commit"] == first[:12]


@pytest.mark.parametrize(
    "name",
    [
        "-v.py",
        "a b;touch owned.py",
        "$(touch owned).py",
        ":(top)x.py",
        "new\nline.py",
        "é.py",
        "'\".py",
        "@{u}.py",
    ],
)
def test_r39_hostile_names_are_only_names(root: Path, name: str) -> None:
    (root / "shop.py").unlink()
    with open(os.fsencode(root / name), "w") as file:
        file.write(CODE)
    head = commit(root, "Add <script>alert(1)</script>\u202e")
    told = ask(root, name=name)
    assert told["blame"]["commit"] == head[:12], told
    assert sorted(os.listdir(root)) == sorted([".git", name])
    assert not list(root.parent.glob("owned*"))


def test_r39_no_program_that_a_repository_names_is_started(root: Path) -> None:
    commit(root, "Add prices")
    mark = root.parent / "started"
    touch = f"touch {mark}; cat"
    (root / ".gitattributes").write_text("*.py filter=own diff=own\n")
    for name in (
        "filter.own.clean",
        "filter.own.smudge",
        "diff.own.textconv",
        "core.fsmonitor",
        "core.pager",
        "diff.external",
    ):
        git(root, "config", name, touch)
    hooks = root / "hooks"
    hooks.mkdir()
    git(root, "config", "core.hooksPath", str(hooks))
    (root / "shop.py").write_text(CODE + "# more\n")
    assert ask(root)["blame"]["subject"] == "Add prices"
    assert not mark.exists()


def test_r39_the_environment_does_not_lead_git_elsewhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = commit(root, "Add prices")
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    assert ask(root)["blame"]["commit"] == head[:12]


def test_r39_nothing_outside_the_root_is_told(root: Path, tmp_path: Path) -> None:
    commit(root, "Add prices")
    inner = root / "inner"
    inner.mkdir()
    os.symlink(root / "shop.py", inner / "link.py")
    for name, path in (("link.py", inner / "link.py"), ("up.py", inner / ".." / "shop.py")):
        told = ask(inner, name=name, path=path)
        assert told["blame"] is None
        assert told["why_none"] == f"line 5 of {name} cannot be read below the app's root from here"


def test_where_a_history_is_cut_it_is_said(root: Path, tmp_path: Path) -> None:
    commit(root, "Add prices")
    (root / "shop.py").write_text(CODE + "# more\n")
    commit(root, "Add more")
    git(tmp_path, "clone", "-q", "--depth", "1", root.as_uri(), "shallow")
    told = ask(tmp_path / "shallow")["blame"]
    assert (told["subject"], told["boundary"]) == ("Add more", True)


def test_why_there_is_nothing_to_tell(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(root)["why_none"] == "shop.py is not committed yet"
    commit(root, "Add prices")
    (root / "new.py").write_text(CODE)
    assert ask(root, name="new.py")["why_none"] == "new.py is not committed yet"
    assert "cannot be read" in ask(root, 99)["why_none"]
    assert (
        ask(root, ran_at=time.time() - 3600)["why_none"]
        == "shop.py has changed since this ran: its lines are others now"
    )
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "shop.py").write_text(CODE)
    assert ask(plain)["why_none"] == "shop.py is in no git repository"
    monkeypatch.setenv("PATH", str(plain))
    assert ask(root)["why_none"] == "there is no git on this machine"


def test_a_git_that_hangs_is_given_up(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    assert ask(root)["why_none"] == "git took longer than 3 s"


def test_a_store_that_names_a_file_outside_is_not_followed(root: Path, tmp_path: Path) -> None:
    commit(root, "Add prices")
    ask(root)
    with sqlite3.connect(tmp_path / "apm.db") as db:
        db.execute("UPDATE frames SET path = '/etc/passwd'")
    db.close()
    with connect(f"sqlite:///{tmp_path}/apm.db") as connection:
        told = blame(connection, Sources([str(root)], time.time() + 60), "shop.py", 5)
    assert told["blame"] is None
