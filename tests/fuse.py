"""A folder on a network file system as far as the kernel and `/proc/self/mountinfo` can tell, with nobody's network."""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Requests of the kernel's protocol that need an answer (include/uapi/linux/fuse.h); all others are refused.
_LOOKUP, _FORGET, _GETATTR, _STATFS, _INIT, _OPENDIR, _READDIR, _BATCH_FORGET = 1, 2, 3, 17, 26, 27, 28, 42
_MISSING, _REFUSED = 2, 30  # no such file; read-only file system
_DIRECTORY = 0o40777


@contextmanager
def network_folder(folder: Path, kind: str = "fuse.sshfs") -> Iterator[Path]:
    """Mount an empty folder of that kind; skips the test where that may not be done."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"no file system of our own here: {error}")
    options = f"fd={device},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},allow_other"
    if libc.mount(b"elsewhere:/srv", os.fsencode(folder), kind.encode(), 0, options.encode()):
        os.close(device)
        pytest.skip(f"cannot mount here: {os.strerror(ctypes.get_errno())}")
    answering = threading.Thread(target=_answer, args=(device,))
    answering.start()
    try:
        yield folder
    finally:
        libc.umount2(os.fsencode(folder), 2)  # lazily; the kernel then ends the device's reads
        answering.join()
        os.close(device)


def _answer(device: int) -> None:
    while True:
        try:
            request = os.read(device, 2**17 + 4096)
        except OSError:  # unmounted
            return
        _, opcode, unique = struct.unpack_from("<IIQ", request)
        if opcode in (_FORGET, _BATCH_FORGET):
            continue
        body = {
            _INIT: lambda: struct.pack("<IIIIHHII", 7, 31, 65536, 0, 0, 0, 4096, 1) + bytes(36),
            _GETATTR: lambda: struct.pack("<QII", 1, 0, 0) + _root(),
            _STATFS: lambda: struct.pack("<5Q4I", *[2**20] * 5, 4096, 255, 4096, 0) + bytes(24),
            _OPENDIR: lambda: bytes(16),
            _READDIR: lambda: b"",
        }.get(opcode)  # fmt: skip
        answer = b"" if body is None else body()
        error = 0 if body else _MISSING if opcode == _LOOKUP else _REFUSED
        head = struct.pack("<IiQ", 16 + len(answer), -error, unique)
        try:
            os.write(device, head + answer)
        except OSError:
            return


def _root() -> bytes:
    times = bytes(24 + 12)
    return struct.pack("<QQQ", 1, 0, 0) + times + struct.pack("<IIIIIII", _DIRECTORY, 2, 0, 0, 0, 4096, 0)
