"""The files that processes leave in a folder beside the store: which there are, and away with those long forgotten."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

#: as many processes as are looked at
_MOST = 256


def files(folder: str, is_one: Callable[[str], bool]) -> list[str]:
    """Paths of those whose name `is_one` knows, in order of their names; none where there is no folder."""
    try:
        names = sorted(filter(is_one, os.listdir(folder)))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names[:_MOST]]


def sweep(folder: str, is_one: Callable[[str], bool], age: float) -> None:
    """Take away those not written for `age` seconds."""
    now = time.time()
    for path in files(folder, is_one):
        with contextlib.suppress(OSError):
            if now - os.stat(path).st_mtime > age:
                os.unlink(path)
