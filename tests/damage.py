"""What may be done to the store's file while it is written: locked, deleted, cut, overwritten, its disk full."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path


def mount(folder: Path, options: str) -> bool:
    """Mount a small disk of its own; False where that may not be done."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    return not subprocess.run(command, capture_output=True, check=False).returncode


@contextmanager
def locked(path: Path) -> Iterator[None]:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA busy_timeout = 10000")
    holder.execute("BEGIN EXCLUSIVE")
    yield
    holder.execute("ROLLBACK")
    holder.close()


@contextmanager
def deleted(path: Path) -> Iterator[None]:
    path.unlink()
    yield


@contextmanager
def folder_deleted(path: Path) -> Iterator[None]:
    shutil.rmtree(path.parent)
    yield


@contextmanager
def truncated(path: Path) -> Iterator[None]:
    os.truncate(path, 0)
    yield


@contextmanager
def cut_in_the_middle(path: Path) -> Iterator[None]:
    os.truncate(path, path.stat().st_size // 2 + 100)
    yield


@contextmanager
def log_deleted(path: Path) -> Iterator[None]:
    path.with_name("apm.db-wal").unlink()
    yield


@contextmanager
def overwritten(path: Path) -> Iterator[None]:
    path.write_bytes(b"rubbish " * 20_000)
    yield


@contextmanager
def replaced_by_another(path: Path) -> Iterator[None]:
    """As who puts yesterday's copy back: a whole file, with other contents."""
    other = path.with_suffix(".other")
    shutil.copy(path, other)
    os.replace(other, path)
    yield


@contextmanager
def full(path: Path) -> Iterator[None]:
    filler = path.parent.parent / "of-the-application"
    with filler.open("wb", buffering=0) as out:
        try:
            while out.write(bytes(2**16)):
                pass
        except OSError:
            pass
    yield
    filler.unlink()


Fault = Callable[[Path], AbstractContextManager[None]]
FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        locked, deleted, folder_deleted, truncated, cut_in_the_middle, log_deleted, overwritten,
        replaced_by_another, full,
    )
}  # fmt: skip
