"""Random numbers of our own: an application that seeds the interpreter's finds in them what it would without us.

And one that seeds them anew for each request, as experiments do, gives us no id twice.
"""

from __future__ import annotations

import os
from random import Random

_generator = Random()
_owner = os.getpid()

#: At the price of a call into C, for what stays within one process.
bits = _generator.getrandbits
random = _generator.random


def unique(count: int) -> int:
    """So many random bits that no other process draws, be it a child forked in C, where no hooks ran."""
    if os.getpid() != _owner:
        _seed()
    return bits(count)


def _seed() -> None:
    global _owner
    _generator.seed()
    _owner = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_seed)
