"""What can go wrong with a file, told apart; what to do with a corrupt file or a full disk."""

from __future__ import annotations

import contextlib
import glob
import logging
import os
import sqlite3
from collections.abc import Iterator

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
_KEPT_ASIDE = 2
BALLAST = 4 * 2**20


def kind_of(error: sqlite3.Error) -> str | None:
    """One of the kinds above, or None for what no state of the file explains."""
    words = str(error).lower()
    return next((kind for part, kind in _WORDS if part in words), None)


def log_is_gone(path: str, error: sqlite3.Error) -> bool:
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
def _alone(path: str) -> Iterator[None]:
    """Hold the lock file beside the store, so that of many processes one puts the file aside."""
    try:
        import fcntl
    except ImportError:  # Windows does not rename open files: the rename below fails and is reported
        yield
        return
    with open(f"{path}.lock", "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def quarantine(path: str, inode: tuple[int, int] | None, now: int) -> None:
    """Put a corrupt file aside as ``….corrupt-<time>``, unless another process has done it already."""
    with _alone(path):
        found = inode_of(path)
        if found is None or (inode is not None and found != inode):
            return
        aside = f"{path}.corrupt-{now // 10**9}"
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(path + suffix, aside + suffix)
    logging.getLogger("apm_agent").warning(
        "apm-agent put a damaged store aside as %s and started a new one", aside
    )
    for old in sorted(p for p in glob.glob(f"{glob.escape(path)}.corrupt-*") if p[-1].isdigit())[
        :-_KEPT_ASIDE
    ]:
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.unlink(old + suffix)


def clear_away(path: str) -> None:
    """Delete a file that is empty and yet locked: emptied under a reader that keeps its lock for as long as it likes,
    it can never be set up again. Readers notice another file by its inode.
    """
    with contextlib.suppress(OSError), _alone(path):
        if os.stat(path).st_size == 0:
            for suffix in ("-wal", "-shm", ""):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path + suffix)


def guard_disk(path: str) -> None:
    """Raise `StoreError` when the disk is nearly full: the application needs what is left more than we do."""
    try:
        disk = os.statvfs(os.path.dirname(path))
    except (AttributeError, OSError):  # Windows; or the folder is gone, which opening the file will say
        return
    total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
    needed = min(max(200 * 2**20, total // 50), total // 10)
    if free < needed:
        raise StoreError(
            f"the disk of {path} is nearly full: its last {needed >> 20} MiB are left to the application, "
            "and nothing is kept until there is room"
        )


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
