"""What can go wrong with a file, told apart; what to do with a corrupt file or a full disk."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator

from apm_agent.errors import StoreError

LOCKED, FULL, CORRUPT, MISSING, UNUSABLE = "locked", "full", "corrupt", "missing", "unusable"

#: SQLite's own words → kind; error codes are on the exception only from Python 3.11 on.
_WORDS = (
    ("is locked", LOCKED),
    ("disk is full", FULL),
    ("malformed", CORRUPT),
    ("not a database", CORRUPT),
    ("no such table", MISSING),
    ("no such column", MISSING),
    ("has no column", MISSING),
    ("readonly", UNUSABLE),
    ("disk i/o error", UNUSABLE),
    ("unable to open", UNUSABLE),
    ("locking protocol", LOCKED),
)
_OF_ONE_FILE = ("", "-wal", "-shm")
_KEPT_ASIDE = 2
BALLAST = 4 * 2**20


def kind_of(error: sqlite3.Error | UnicodeDecodeError) -> str | None:
    """One of the kinds above, or None for what no state of the file explains."""
    if isinstance(error, UnicodeDecodeError):
        return CORRUPT  # SQLite quotes what it cannot make sense of, and Python cannot read that quote
    words = str(error).lower()
    return next((kind for part, kind in _WORDS if part in words), None)


def log_is_gone(path: str, error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Whether an I/O error comes of a WAL that was deleted while somebody, a dashboard perhaps, keeps its index: an
    empty one was made in its place, and all that the index says is in it cannot be read by anyone any more.
    """
    if "disk i/o error" not in str(error).lower():
        return False
    try:
        return os.stat(f"{path}-wal").st_size == 0
    except OSError:
        return True


def inode_of(path: str) -> tuple[int, int] | None:
    """Which file lies at a path; None when there is none, or it was emptied."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found.st_size else None


@contextlib.contextmanager
def holding(path: str, alone: bool = False, patience: float = 5.0) -> Iterator[None]:
    """Hold the lock file beside the store: together with others while it is opened, `alone` while it is put aside, so
    that of many processes one does it, and none has begun a new file whose WAL would be taken for the old one's.

    Raises `StoreError` after `patience` seconds. The lock is one of those that a fork does not inherit: a child would
    keep it for good.
    """
    try:
        import fcntl
    except ImportError:  # Windows does not rename open files: the rename below fails and is reported
        yield
        return
    deadline = time.monotonic() + patience
    try:
        held = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StoreError(f"cannot write {path}.lock: {error.strerror}") from error
    try:
        while not _got(fcntl.lockf, held, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB):
            if time.monotonic() > deadline:
                raise StoreError(
                    f"cannot write {path}: another process has held {path}.lock for {patience:g} s"
                )
            time.sleep(0.01)
        yield
    finally:
        os.close(held)


def _got(lock: Callable[[int, int], None], held: int, how: int) -> bool:
    try:
        lock(held, how)
    except OSError:
        return False
    return True


def quarantine(path: str, inode: tuple[int, int] | None, now: int) -> None:
    """Put a corrupt file aside as ``….corrupt-<time>``, unless another process has done it already."""
    with holding(path, alone=True):
        found = inode_of(path)
        if found is None or (inode is not None and found != inode):
            return
        aside = f"{path}.corrupt-{now // 10**9}"
        while os.path.exists(aside):  # two in one second
            now += 10**9
            aside = f"{path}.corrupt-{now // 10**9}"
        for suffix in _OF_ONE_FILE:
            with contextlib.suppress(FileNotFoundError):
                os.replace(path + suffix, aside + suffix)
    logging.getLogger("apm_agent").warning(
        "apm-agent put a damaged store aside as %s and started a new one", aside
    )
    for old in _put_aside(path)[:-_KEPT_ASIDE]:
        _delete(old)


def _put_aside(path: str) -> list[str]:
    """The damaged files that lie beside the store, oldest first."""
    folder, name = os.path.split(path)
    try:
        beside = [each for each in os.listdir(folder or ".") if each.startswith(f"{name}.corrupt-")]
    except OSError:
        return []
    return sorted(os.path.join(folder, each) for each in beside if each[-1].isdigit())


def _delete(path: str) -> None:
    for suffix in _OF_ONE_FILE:
        with contextlib.suppress(OSError):
            os.unlink(path + suffix)


def clear_away(path: str) -> None:
    """Delete a file that is empty and yet locked: emptied under a reader that keeps its lock for as long as it likes,
    it can never be set up again. Readers notice another file by its inode.
    """
    with contextlib.suppress(OSError, StoreError), holding(path, alone=True):
        if os.stat(path).st_size == 0:
            for suffix in ("-wal", "-shm", ""):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path + suffix)


def guard_disk(path: str) -> None:
    """Raise `StoreError` when the disk is nearly full: the application needs what is left more than we do, and more
    than the damaged files that were put aside, which go first.
    """
    needed = _short_of(path)
    for old in _put_aside(path) if needed else ():
        _delete(old)
        needed = _short_of(path)
        if not needed:
            return
    if needed:
        raise StoreError(
            f"the disk of {path} is nearly full: its last {needed >> 20} MiB are left to the application, "
            "and nothing is kept until there is room"
        )


def _short_of(path: str) -> int:
    """The bytes that must stay free, when they are not."""
    try:
        disk = os.statvfs(os.path.dirname(path))
    except (AttributeError, OSError):  # Windows; or the folder is gone, which opening the file will say
        return 0
    total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
    needed = min(max(200 * 2**20, total // 50), total // 10)
    return needed if free < needed else 0


def ballast_of(path: str) -> str:
    """The file whose only use is to be deleted when the disk is full, so that the store can be trimmed."""
    return os.path.splitext(path)[0] + ".ballast"


def lay_ballast(path: str, size: int) -> None:
    """Make the ballast unless it is there."""
    ballast = ballast_of(path)
    if os.path.exists(ballast):
        return
    try:
        descriptor = os.open(ballast, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, size)
            else:
                os.write(descriptor, bytes(size))
        finally:
            os.close(descriptor)
    except OSError:
        drop_ballast(path)


def drop_ballast(path: str) -> None:
    """Give the ballast's space back."""
    with contextlib.suppress(OSError):
        os.unlink(ballast_of(path))
