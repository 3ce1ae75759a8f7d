"""The release of an application: setting, variables, then git's own files in every shape git leaves them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from apm_agent import release


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    run = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True)
    return run.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return folder


def test_the_setting_comes_first(repository: Path) -> None:
    assert release.find(" 1.4.0 ", str(repository), {"GITHUB_SHA": "abc"}) == "1.4.0"


def test_then_the_variables_of_the_platform(repository: Path) -> None:
    sha = "0123456789abcdef0123456789abcdef01234567"
    assert release.find("", str(repository), {"GITHUB_SHA": sha}) == "0123456789ab"
    assert release.find("", str(repository), {"GITHUB_SHA": sha, "RELEASE": "v7"}) == "v7"
    assert release.find("", str(repository), {"RELEASE": "\x1b[31m" + "x" * 500}) == "[31m" + "x" * 96


def test_then_git_in_every_shape(repository: Path, tmp_path: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")[:12]
    below = repository / "a" / "b"
    below.mkdir(parents=True)
    assert release.find("", str(below), {}) == head
    git(repository, "pack-refs", "--all")
    assert release.find("", str(repository), {}) == head
    git(repository, "worktree", "add", "-q", "-b", "side/branch", str(tmp_path / "linked"))
    git(tmp_path / "linked", "commit", "-q", "--allow-empty", "-m", "two")
    linked = git(tmp_path / "linked", "rev-parse", "HEAD")[:12]
    assert linked != head
    assert release.find("", str(tmp_path / "linked"), {}) == linked
    git(repository, "checkout", "-q", "--detach")
    assert release.find("", str(repository), {}) == head


@pytest.mark.parametrize(
    "head", ["", "ref: refs/heads/none", "ref: ../../etc/passwd", "rubbish", "\x00" * 99]
)
def test_a_broken_repository_says_nothing(tmp_path: Path, head: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(head)
    assert release.find("", str(tmp_path), {}) == ""


def test_a_file_that_points_nowhere_says_nothing(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /nowhere/at/all")
    assert release.find("", str(tmp_path), {}) == ""
