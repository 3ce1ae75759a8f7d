"""Asks the kernel to run this thread soon after it wakes, before those that have a processor just then.

A thread whose sleep is over waits until who has the processor has had its turn of some milliseconds, also where
another is free a moment later. Who computes then is finished meanwhile, or waits: on a busy machine that was one look
in twelve, each of them booked on the wrong place. Since 6.12 Linux lets a thread wish for shorter turns, and gives it
in return the processor at once. It gets no more of it than before.

Where system calls are filtered nothing is asked for: a filter may answer one it does not expect by killing the process
(systemd does, for a service without `@resources`), and nothing tells beforehand.
"""

from __future__ import annotations

import os
import struct

#: A turn: longer than a look takes, for one that is interrupted has the GIL meanwhile.
_TURN_NS = 300_000
#: `sched_setattr`, which neither Python nor most C libraries have, where it is known by number.
_NUMBERS = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
#: size, policy, flags, nice value, priority, length of a turn, deadline, period
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")


def be_prompt() -> bool:
    """Ask for it, for the calling thread; whether the kernel agreed. One older than 6.12 agrees and does nothing."""
    number = _NUMBERS.get(os.uname().machine, 0) if hasattr(os, "uname") else 0
    if not number or not hasattr(os, "sched_getscheduler") or struct.calcsize("P") != 8:
        return False
    try:
        # Only a thread of the usual kind; its nice value, also set by the call, stays what it is.
        if _is_filtered() or os.sched_getscheduler(0) != os.SCHED_OTHER:
            return False
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        wish = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, _TURN_NS, 0, 0)
        import ctypes  # needed once the agent is on, and not to import the package

        return bool(ctypes.PyDLL(None).syscall(ctypes.c_long(number), 0, wish, 0) == 0)
    # An interpreter without ctypes, no `/proc`, or a system that forbids either.
    except (ImportError, OSError, AttributeError, MemoryError):
        return False


def _is_filtered() -> bool:
    with open("/proc/self/status", "rb") as file:
        return b"\nSeccomp:\t0\n" not in file.read()
