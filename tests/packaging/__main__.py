"""Builds the sdist and the wheel from a clean clone into dist/, and takes them through all that users do with them.

python tests/packaging          needs git and the network; about two minutes
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
sys.path[:0] = [str(TESTS)]

from empty_room import Room, finds_the_slow_line  # noqa: E402
from wheels import sdist_lacks_or_adds, wheel_lacks_or_adds  # noqa: E402

RIGHT: dict[str, set[str]] = {"missing": set(), "too much": set()}


def main() -> int:
    changed = _said("git", "status", "--porcelain", cwd=ROOT).strip()
    if changed:
        print(f"dist: not committed, so not in it:\n{changed}")
    with tempfile.TemporaryDirectory(prefix="apm-dist-") as folder:
        _all(Path(folder))
    return 0


def _all(folder: Path) -> None:
    clone, dist = folder / "clone", folder / "dist"
    with _step("cloned"):
        _said("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone), cwd=folder)
    with _step("built the sdist, and the wheel from it"):
        _build(clone, dist)
    sdist, wheel = next(dist.glob("*.tar.gz")), next(dist.glob("*.whl"))
    with _step("their contents are what belongs"):
        # The pages that the build left in the clone belong to it no more than to anybody's.
        _same(sdist_lacks_or_adds(sdist, clone), RIGHT)
        _same(wheel_lacks_or_adds(wheel, clone), RIGHT)
    with _step("an index takes them"):
        _said(sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(wheel), cwd=folder)
    with _step("the wheel built straight from the clone is the same"):
        _build(clone, folder / "straight", "--wheel")
        _same(_hashes(next((folder / "straight").glob("*.whl"))), _hashes(wheel))
    with _step("the sdist without its pages builds them, and the wheel is the same"):
        with tarfile.open(sdist) as content:
            content.extractall(folder / "unpacked", filter="data")
        unpacked = next((folder / "unpacked").iterdir())
        shutil.rmtree(unpacked / "apm_agent" / "web" / "static")
        _build(unpacked, folder / "again", "--wheel")
        _same(_hashes(next((folder / "again").glob("*.whl"))), _hashes(wheel))
    for kind, made in (("wheel", wheel), ("sdist", sdist)):
        with _step(f"the {kind} in an empty environment finds the slow line, and goes without a trace"):
            _live(folder / f"room-{kind}", made)
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    shutil.copytree(dist, ROOT / "dist")
    for each in (sdist, wheel):
        print(f"dist: dist/{each.name}, {each.stat().st_size / 1e6:.1f} MB")


def _live(folder: Path, made: Path) -> None:
    room = Room(folder / "env")
    before = room.orphans()
    room.pip("install", "--quiet", str(made), "gunicorn")
    work = folder / "work"
    work.mkdir()
    finds_the_slow_line(room, work)
    room.pip("check")
    room.pip("uninstall", "--quiet", "--yes", "apm-agent")
    _same(room.orphans(), before)


def _build(tree: Path, into: Path, *options: str) -> None:
    _said(sys.executable, "-m", "build", "--outdir", str(into), *options, str(tree), cwd=into.parent)


def _hashes(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as content:
        return {name: hashlib.sha256(content.read(name)).hexdigest() for name in content.namelist()}


def _same(found: object, right: object) -> None:
    if found != right:
        raise SystemExit(f"dist: found {found}\nwanted {right}")


def _said(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"dist: {' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


class _step:
    """Says what was done, and how long it took, once it is."""

    def __init__(self, done: str) -> None:
        self._done, self._began = done, time.monotonic()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            print(f"dist: {time.monotonic() - self._began:5.1f} s  {self._done}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
