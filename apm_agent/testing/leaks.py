"""Tells what a test left behind: threads, descriptors, patches, work that never ended."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

THREADS, DESCRIPTORS, PATCHES, TRANSACTION, SAMPLER, INTERVAL, AGENT = KINDS = (
    "threads", "descriptors", "patches", "transaction", "sampler", "interval", "agent",
)  # fmt: skip

#: Seconds that threads are given to end, and descriptors to be closed, once something seems to be left.
PATIENCE = 3.0
_FOLDERS = ("/proc/self/fd", "/dev/fd")
_folder = next((folder for folder in _FOLDERS if os.path.isdir(folder)), None)


class State(NamedTuple):
    """What a test may leave behind, as it is now."""

    threads: frozenset[int]
    descriptors: frozenset[str]
    patches: frozenset[str]
    transaction: Any
    sampler: frozenset[Any]
    interval: float
    agent: Any


def now() -> State:
    """Look; nothing is imported for it, since what is not imported has left nothing."""
    return State(
        frozenset(sys._current_frames()),  # threads that Python's `threading` knows nothing of, too
        _descriptors(),
        _patches(),
        _of("apm_agent.model.current", "current", lambda current: current.get()),
        _at_work(),
        sys.getswitchinterval(),
        _of("apm_agent.tracing.tracer", "tracer", lambda tracer: tracer),
    )


@contextmanager
def leaving_nothing(allowed: Collection[str] = ()) -> Iterator[None]:
    """`AssertionError` at the end of the block that says what is there and was not before; `allowed` are of `KINDS`.

    What seems to be left is first given collections of garbage, and `PATIENCE` seconds beside them, to go away.
    """
    before = now()
    yield
    found = left(before, now(), allowed)
    waited, pause = 0.0, 0.01
    while found and waited < PATIENCE:  # a large process may spend seconds in collecting alone
        gc.collect()  # again, for another thread may only now let go of what holds the rest
        time.sleep(pause)
        waited, pause = waited + pause, min(2 * pause, 0.5)
        found = left(before, now(), allowed)
    if found:
        raise AssertionError("the test left behind:\n" + "\n".join(f"  {each}" for each in found))


def left(before: State, after: State, allowed: Collection[str] = ()) -> list[str]:
    """A line for each thing that is there after and was not before."""
    found: dict[str, list[str]] = {
        THREADS: [f"a thread: {_thread(ident)}" for ident in after.threads - before.threads],
        DESCRIPTORS: [text for each in after.descriptors - before.descriptors if (text := _descriptor(each))],
        PATCHES: [f"patches of {name}" for name in sorted(after.patches - before.patches)],
        SAMPLER: [f"work in the sampler's books: {each!r:.200}" for each in after.sampler - before.sampler],
        INTERVAL: [f"a switch interval of {after.interval} s, before {before.interval} s"]
        if after.interval != before.interval else [],
        TRANSACTION: [f"a current transaction: {_named(after.transaction)}"]
        if after.transaction is not None and after.transaction is not before.transaction else [],
        AGENT: ["the agent, still on: call apm_agent.uninstall()"]
        if after.agent is not None and before.agent is None else [],
    }  # fmt: skip
    return [line for kind, lines in found.items() if kind not in allowed for line in lines]


def _descriptors() -> frozenset[str]:
    if _folder is None:
        return frozenset()
    # The listing opens the folder, at the lowest number that is free: what a test left at that number must differ.
    lowest = os.open(_folder, os.O_RDONLY)
    os.close(lowest)
    return frozenset(os.listdir(_folder)) - {str(lowest)}


def _of(module: str, name: str, ask: Any) -> Any:
    loaded = sys.modules.get(module)
    return None if loaded is None else ask(getattr(loaded, name))


def _patches() -> frozenset[str]:
    patching = sys.modules.get("apm_agent.instruments.patching")
    if patching is None:
        return frozenset()
    return frozenset(
        placement.row.target for placement in patching._all() if placement.state == patching.PATCHED
    )


def _at_work() -> frozenset[Any]:
    attribution = sys.modules.get("apm_agent.profiling.attribution")
    if attribution is None:
        return frozenset()
    works = (*attribution.threads.values(), *attribution.greenlets.values())
    on_loops = (transaction for loop in list(attribution.loops.values()) for transaction in list(loop.open))
    return frozenset((*(work[0] for work in works), *on_loops))


def _thread(ident: int) -> str:
    threading = sys.modules.get("threading")
    known = threading._active.get(ident) if threading is not None else None
    frame = sys._current_frames().get(ident)
    where = f" in {frame.f_code.co_name}() at {frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
    return f"{known.name if known is not None else 'without a name'}{where}"


def _descriptor(number: str) -> str:
    """What a descriptor is of; empty where it is closed by now."""
    try:
        return f"descriptor {number}: {os.readlink(f'{_folder}/{number}')}"
    except OSError:
        try:
            os.fstat(int(number))
        except OSError:
            return ""
        return f"descriptor {number}"


def _named(here: Any) -> str:
    transaction = getattr(here, "transaction", here)
    return f"{transaction.name}{' (ended)' if transaction.ended else ''}"
