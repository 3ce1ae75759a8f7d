"""Where the store lies: its URL, its folder, and whether SQLite can live there."""

from __future__ import annotations

import os

from apm_agent.errors import StoreError

PREFIX = "sqlite:///"
#: A folder of ours, by its name, keeps itself out of version control.
OWN_FOLDER = ".apm-agent"
#: WAL needs memory shared by all processes that use the file, which no network file system gives.
NETWORK: tuple[str, ...] = (
    "nfs",
    "cifs",
    "smb",
    "9p",
    "afs",
    "ncpfs",
    "ceph",
    "gluster",
    "lustre",
    "gfs",
    "ocfs2",
    "beegfs",
)
NETWORK += ("pvfs", "orangefs", "coda", "davfs", "fuse.sshfs", "fuse.gluster", "fuse.ceph", "fuse.s3fs")
NETWORK += ("fuse.gcsfuse", "fuse.rclone", "fuse.davfs")


def path_of(url: str) -> str:
    """The absolute path of ``sqlite:///relative`` or ``sqlite:////absolute``."""
    path = url.removeprefix(PREFIX)
    if path == url or not path or path.endswith("/") or ":memory:" in path or "\x00" in path:
        raise StoreError(
            f"store {url!r} names no file: write sqlite:///folder/apm.db, or sqlite:////folder/apm.db "
            "for an absolute path"
        )
    return os.path.abspath(path)


def prepare(path: str, mounts: str = "/proc/self/mountinfo") -> None:
    """Make the folder (0700) and an empty file (0600) unless they are there; say why not if they cannot be.

    The file is made here and not by SQLite, so that it is private from its first moment.
    """
    folder = os.path.dirname(path)
    try:
        fresh = not os.path.isdir(folder)
        if fresh:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        refuse_network(folder, mounts)
        if fresh or os.path.basename(folder) == OWN_FOLDER:
            _create(os.path.join(folder, ".gitignore"), b"*\n")
        _create(path)
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}. Make the folder writable for this user, "
            "or set `store` to a place that is"
        ) from error


def _create(path: str, content: bytes = b"") -> None:
    # Never opened when it exists: closing any descriptor of a file drops SQLite's own locks on it.
    if os.path.exists(path):
        return
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def refuse_network(folder: str, mounts: str = "/proc/self/mountinfo") -> None:
    """Raise `StoreError` when the folder lies on a network file system."""
    kind = file_system(folder, mounts)
    if kind.startswith(NETWORK):
        raise StoreError(
            f"{folder} is on a network file system ({kind}), where SQLite loses data. "
            "Set `store` to a local disk, such as sqlite:////var/lib/apm-agent/apm.db"
        )


def file_system(folder: str, mounts: str = "/proc/self/mountinfo") -> str:
    """The kind of file system a folder lies on; empty where the system does not tell."""
    folder = os.path.realpath(folder)
    best, found = "", ""
    try:
        with open(mounts, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                left, _, right = line.partition(" - ")
                fields = left.split(" ")
                if len(fields) < 5 or not right:
                    continue
                point = _unescape(fields[4])
                inside = folder == point or folder.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= len(best):  # of several mounts on one point the last one is seen
                    best, found = point, right.split(" ")[0]
    except OSError:  # not Linux
        return ""
    return found


def _unescape(point: str) -> str:
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, letter)
    return point
