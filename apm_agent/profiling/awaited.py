"""The tasks of an event loop and what each of them awaits, seen from another thread."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any, NamedTuple
from weakref import ref

from apm_agent.model.profile import StackKey
from apm_agent.model.transaction import Transaction
from apm_agent.profiling.attribution import transaction_of_task

_DEEPEST = 400
_MOST_TASKS = 5000
_MOST_FOLLOWED = 8
_MOST_CHILDREN = 1000
_NUMBER = re.compile(r"\d+\Z")
#: Coroutines, generators and async generators call the same thing by three names.
_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITS = ("cr_await", "gi_yieldfrom", "ag_await")
#: Awaitables without these names; what they hold has them.
_OPAQUE = ("async_generator_asend", "async_generator_athrow", "coroutine_wrapper", "anext_awaitable")
#: Where a task stands while it waits for others it spawned.
_GATHERING = ("asyncio/tasks.py", "asyncio/taskgroups.py", "anyio/_backends/_asyncio.py")
_SIGNALS = "anyio/streams/memory.py"
_GROUPS = ("asyncio.taskgroups", "anyio._backends._asyncio")
_TIMERS = ("asyncio.events", "uvloop.loop")


class Link(NamedTuple):
    """A task, and the future it awaits; None while it awaits nothing: it is ready, or was never run yet."""

    task: ref[Any]
    waiter: ref[Any] | None


class Awaited(NamedTuple):
    """What a task awaits: the stack, the tasks followed to find it, and when a timer will have ended it."""

    key: StackKey
    links: tuple[Link, ...]
    #: in the loop's time, where it sleeps
    due: float | None
    #: the future of a worker thread, where it awaits one
    source: Any


def tasks_of(loop: Any) -> list[tuple[Transaction, Any]]:
    """The unfinished tasks that belong to a transaction, those made first in front."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return []
    found = []
    for task in list(asyncio.all_tasks(loop))[:_MOST_TASKS]:
        transaction = transaction_of_task(task)
        if transaction is not None:
            found.append((transaction, task))
    return sorted(found, key=lambda each: _age(each[1]))


def key_of_task(task: Any) -> StackKey:
    """Code and instruction of each coroutine the task is suspended in, what it awaits innermost and first."""
    return _key([_chain_of(task)])


def awaited(task: Any) -> Awaited:
    """What a task is suspended in, through the tasks it waits for: of several, the oldest that is not finished."""
    chains = []
    links = []
    seen = {id(task)}
    while True:
        waiter = getattr(task, "_fut_waiter", None)
        chain = _chain_of(task)
        chains.append(chain)
        links.append(Link(ref(task), None if waiter is None else ref(waiter)))
        following = _followed(waiter, [one for chain in chains for one in chain])
        if following is None or id(following) in seen or len(chains) == _MOST_FOLLOWED:
            break
        task = following
        seen.add(id(task))
    return Awaited(_key(chains), tuple(links), _due(chain), _source(waiter))


def _chain_of(task: Any) -> list[Any]:
    # A loop may have tasks of its own making.
    return list(_chain(task.get_coro())) if _is_task(task) else []


def _chain(coroutine: Any) -> Iterator[Any]:
    """Coroutines, generators and async generators from the outermost to the innermost."""
    for _ in range(_DEEPEST):
        if type(coroutine).__name__ in _OPAQUE:
            inner = gc.get_referents(coroutine)
            coroutine = next((one for one in inner if _one_of(one, _FRAMES) is not None), None)
        else:
            if _one_of(coroutine, _FRAMES) is not None:
                yield coroutine
            coroutine = _one_of(coroutine, _AWAITS)
        if coroutine is None:
            return


def _key(chains: list[list[Any]]) -> StackKey:
    parts: list[Any] = []
    for chain in reversed(chains):
        for coroutine in reversed(chain):
            frame = _one_of(coroutine, _FRAMES)
            if frame is not None:
                parts += (frame.f_code, frame.f_lasti)
    return tuple(parts[: 2 * _DEEPEST])


def _followed(waiter: Any, chain: list[Any]) -> Any:
    """The task that a task with this waiter and these coroutines waits for."""
    if waiter is None:
        return None
    if _is_task(waiter):
        return waiter
    if type(waiter).__name__ == "_GatheringFuture":
        return next((one for one in waiter._children if _is_task(one) and not one.done()), None)
    shielded = next((one for one in _closures(waiter) if _is_task(one)), None)
    if shielded is not None:
        return shielded
    places = [(one, frame.f_code) for one in chain if (frame := _one_of(one, _FRAMES)) is not None]
    if not places:
        return None
    if _path(places[-1]).endswith(_GATHERING) and places[-1][1].co_name != "sleep":
        return _oldest(_tasks_in(places[-1][0], everywhere=True))
    if any(_path(place).endswith(_SIGNALS) for place in places[-4:]):
        # Only another task can end this. The innermost group that is open here spawned it.
        found = (_oldest(_tasks_in(one, everywhere=False)) for one, _ in reversed(places))
        return next((task for task in found if task is not None), None)
    return None


def _tasks_in(coroutine: Any, everywhere: bool) -> Iterator[Any]:
    """Tasks in the task groups a coroutine has open; `everywhere`: also those it holds by themselves or in sets."""
    for local in _locals_of(coroutine):
        kind = type(local)
        held: Any = ()
        if kind.__name__ == "TaskGroup" and kind.__module__ in _GROUPS:
            held = getattr(local, "_tasks", None) or getattr(local.cancel_scope, "_tasks", ())
        elif everywhere:
            held = local if kind in (set, list, tuple, frozenset) else (local,)
        if len(held) <= _MOST_CHILDREN:
            yield from (one for one in list(held) if _is_task(one))


def _locals_of(coroutine: Any) -> list[Any]:
    """What a suspended coroutine's variables hold, without making the dictionary that would keep them alive."""
    held = gc.get_referents(coroutine)
    frame = _one_of(coroutine, _FRAMES)
    return held if frame is None else held + gc.get_referents(frame)


def _oldest(tasks: Iterable[Any]) -> Any:
    return min((task for task in tasks if not task.done()), key=_age, default=None)


def _due(chain: list[Any]) -> float | None:
    """When the timer of `asyncio.sleep` goes off, in the loop's time."""
    frame = _one_of(chain[-1], _FRAMES) if chain else None
    if frame is None or frame.f_code.co_name != "sleep":
        return None
    for local in _locals_of(chain[-1]):
        if type(local).__name__ == "TimerHandle" and type(local).__module__ in _TIMERS:
            return float(local.when())
    return None


def _source(waiter: Any) -> Any:
    """The future of the worker thread that will set `waiter`."""
    base = getattr(sys.modules.get("concurrent.futures._base"), "Future", None)
    if base is None or waiter is None:
        return None
    return next((one for one in _closures(waiter) if issubclass(type(one), base)), None)


def _closures(waiter: Any) -> Iterator[Any]:
    for each in list(getattr(waiter, "_callbacks", None) or ()):
        if type(each) is tuple and type(each[0]) is FunctionType:
            for cell in each[0].__closure__ or ():
                try:
                    yield cell.cell_contents
                except ValueError:
                    continue  # still empty


def _path(place: tuple[Any, CodeType]) -> str:
    return place[1].co_filename.replace("\\", "/")


def _is_task(thing: Any) -> bool:
    # Of the type, here and below: an object of the application may answer anything, or run code.
    return hasattr(type(thing), "get_coro")


def _one_of(thing: Any, names: tuple[str, ...]) -> Any:
    kind = type(thing)
    return next((getattr(thing, name, None) for name in names if hasattr(kind, name)), None)


def _age(task: Any) -> tuple[int, str]:
    """asyncio numbers tasks as they are made; the application may name them otherwise."""
    name = str(task.get_name())
    number = _NUMBER.search(name)
    return (int(number[0]) if number else sys.maxsize, name)
