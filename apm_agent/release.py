"""Finds the version of the user's application: the setting, deployment variables, or git's own files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

#: Where platforms and CI systems say what they built, the most deliberate first.
VARIABLES = (
    "RELEASE",
    "RELEASE_VERSION",
    "APP_VERSION",
    "SENTRY_RELEASE",
    "GIT_COMMIT",
    "GIT_SHA",
    "COMMIT_SHA",
    "SOURCE_VERSION",
    "SOURCE_COMMIT",
    "HEROKU_SLUG_COMMIT",
    "HEROKU_BUILD_COMMIT",
    "HEROKU_RELEASE_VERSION",
    "RENDER_GIT_COMMIT",
    "RAILWAY_GIT_COMMIT_SHA",
    "VERCEL_GIT_COMMIT_SHA",
    "ZEABUR_GIT_COMMIT_SHA",
    "PLATFORM_TREE_ID",
    "K_REVISION",
    "GAE_VERSION",
    "FLY_MACHINE_VERSION",
    "CODEBUILD_RESOLVED_SOURCE_VERSION",
    "BUILD_SOURCEVERSION",
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "CIRCLE_SHA1",
    "BITBUCKET_COMMIT",
    "BUILDKITE_COMMIT",
    "DRONE_COMMIT_SHA",
    "TRAVIS_COMMIT",
)

_LONGEST = 100
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"refs/[\w./@+-]{1,200}")
_MOST_PARENTS = 20
_MOST_BYTES = 4 * 2**20


def find(setting: str, folder: str, environment: Mapping[str, str] | None = None) -> str:
    """The release of the application in `folder`; "" when nothing tells. Runs no program."""
    env = os.environ if environment is None else environment
    for value in (setting, *(env.get(name, "") for name in VARIABLES)):
        release = _tidy(value)
        if release:
            return release
    return _short(_git_head(folder))


def _tidy(value: str) -> str:
    printable = "".join(c for c in value.strip()[: _LONGEST * 2] if c.isprintable())
    return _short(printable[:_LONGEST])


def _short(release: str) -> str:
    return release[:12] if _SHA.fullmatch(release) else release


def _git_head(folder: str) -> str:
    git = _git_folder(os.path.abspath(folder))
    if not git:
        return ""
    head = _read(os.path.join(git, "HEAD")).strip()
    if not head.startswith("ref:"):
        return head if _SHA.fullmatch(head) else ""
    ref = head[4:].strip()
    if not _REF.fullmatch(ref) or ".." in ref:
        return ""
    # A linked work tree has its own HEAD; its branches lie in the repository it was linked from.
    shared = _read(os.path.join(git, "commondir")).strip()
    for place in (git, os.path.normpath(os.path.join(git, shared)) if shared else git):
        loose = _read(os.path.join(place, *ref.split("/"))).strip()
        if _SHA.fullmatch(loose):
            return loose
        for line in _read(os.path.join(place, "packed-refs")).splitlines():
            sha, _, name = line.partition(" ")
            if name.strip() == ref and _SHA.fullmatch(sha):
                return sha
    return ""


def _git_folder(folder: str) -> str:
    for _ in range(_MOST_PARENTS):
        place = os.path.join(folder, ".git")
        if os.path.isdir(place):
            return place
        if os.path.isfile(place):  # a linked work tree or a submodule
            target = _read(place).strip()
            return os.path.join(folder, target[7:].strip()) if target.startswith("gitdir:") else ""
        folder, before = os.path.dirname(folder), folder
        if folder == before:
            break
    return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_MOST_BYTES)
    except (OSError, ValueError):
        return ""
