"""Reads a small file of the kernel's without giving the GIL up.

`os.preadv` gives it up, as it must for files that may be slow. To get it back a thread queues behind all others: with
16 threads at work the two readings of each transaction took requests of 1 ms from 1.0 to 6.2 ms at the 95th
percentile. What `/proc` tells of a process's size it knows at once, and the GIL may be kept for that microsecond.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any


def filler(descriptor: int, buffer: bytearray) -> Callable[[], int]:
    """A function that reads an open file from its start into `buffer`.

    It answers how many bytes it read; where the file cannot be read, a negative number or OSError.
    """
    return _keeping(descriptor, buffer) or partial(os.preadv, descriptor, [buffer], 0)


def _keeping(descriptor: int, buffer: bytearray) -> Callable[[], int] | None:
    """`pread` of the C library, called as Python calls its own: with the GIL."""
    try:
        import ctypes  # needed once the agent is on, and not to import the package

        function: Any = ctypes.PyDLL(None).pread
        function.restype = ctypes.c_ssize_t
        # Made beforehand: to convert them each time takes as long as the call.
        into = (ctypes.c_char * len(buffer)).from_buffer(buffer)
        given = (ctypes.c_int(descriptor), into, ctypes.c_size_t(len(buffer)), ctypes.c_long(0))
        return partial(function, *given)
    # An interpreter without ctypes, or a system without libraries.
    except (ImportError, OSError, AttributeError):
        return None
