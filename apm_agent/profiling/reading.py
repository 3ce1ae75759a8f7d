"""Reads a small file of the kernel's without giving the GIL up.

`os.pread` gives it up, as it must for files that may be slow. To get it back a thread queues behind all others: with 16
threads at work the two readings of each transaction took requests of 1 ms from 1.0 to 6.2 ms at the 95th percentile.
What `/proc` tells of a process's size it knows at once, and the GIL may be kept for that microsecond.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any


def reader(descriptor: int, most: int) -> Callable[[], bytes | bytearray]:
    """A function that reads the first `most` bytes of an open file; it raises OSError where they cannot be read."""
    ask, buffer = _keeping(descriptor, most)
    if ask is None:
        return partial(os.pread, descriptor, most, 0)

    def read() -> bytearray:
        # Another thread may fill the buffer between these lines: then it says what is true even later.
        size = ask()
        if size < 0:
            raise OSError(f"descriptor {descriptor} cannot be read")
        return buffer[:size]

    return read


def _keeping(descriptor: int, most: int) -> tuple[Callable[[], int] | None, bytearray]:
    """`pread` of the C library into a buffer, called as Python calls its own: with the GIL."""
    buffer = bytearray(most)
    try:
        import ctypes  # needed once the agent is on, and not to import the package

        function: Any = ctypes.PyDLL(None).pread
        function.restype = ctypes.c_ssize_t
        into = (ctypes.c_char * most).from_buffer(buffer)
        # Made beforehand: to convert them each time takes as long as the call.
        given = (ctypes.c_int(descriptor), into, ctypes.c_size_t(most), ctypes.c_long(0))
        return partial(function, *given), buffer
    # An interpreter without ctypes, or a system without libraries.
    except (ImportError, OSError, AttributeError):
        return None, buffer
