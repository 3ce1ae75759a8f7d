"""The tasks of an event loop and what each of them awaits, seen from another thread."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from types import CellType, CoroutineType, FunctionType
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
_SIGNALS = ("anyio/streams/memory.py",)
_GROUPS = ("asyncio.taskgroups", "anyio._backends._asyncio")
_TIMERS = ("asyncio.events", "uvloop.loop")


#: A coroutine and its frame.
_Suspended = tuple[Any, Any]


class Link(NamedTuple):
    """A task, and the future it awaits; None while it awaits nothing: it is ready, or was never run yet."""

    task: Callable[[], Any]
    waiter: Callable[[], Any] | None


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
    return _key(_chain_of(task))


def root_of(task: Any) -> StackKey:
    """Code and instruction of the outermost coroutine of a task alone, for who has no time for the rest."""
    frame = _one_of(task.get_coro(), _FRAMES) if _is_task(task) else None
    return () if frame is None else (frame.f_code, frame.f_lasti)


def awaited(task: Any) -> Awaited:
    """What a task is suspended in, through the tasks it waits for: of several, the oldest that is not finished."""
    chain: list[_Suspended] = []
    links = []
    while True:
        waiter = getattr(task, "_fut_waiter", None)
        chain += _chain_of(task)
        links.append(_link(task, waiter))
        behind = list(_closures(waiter))
        following = _followed(waiter, behind, chain)
        if following is None or len(links) == _MOST_FOLLOWED or any(each[0]() is following for each in links):
            break
        task = following
    return Awaited(_key(chain), tuple(links), _due(chain), _source(behind))


def _link(task: Any, waiter: Any) -> Link:
    known = ref(task)
    if waiter is None:
        return Link(known, None)
    try:
        return Link(known, ref(waiter))
    except TypeError:  # a server's own awaitable, made in Rust
        number = id(waiter)

        def still() -> Any:
            now = getattr(known(), "_fut_waiter", None)
            return now if id(now) == number else None

        return Link(known, still)


def _chain_of(task: Any) -> list[_Suspended]:
    # A loop may have tasks of its own making.
    return _chain(task.get_coro()) if _is_task(task) else []


def _chain(coroutine: Any) -> list[_Suspended]:
    """Coroutines, generators and async generators with their frames, from the outermost to the innermost."""
    found = []
    for _ in range(_DEEPEST):
        if type(coroutine) is CoroutineType:
            frame, inner = coroutine.cr_frame, coroutine.cr_await
        elif type(coroutine).__name__ in _OPAQUE:
            within = gc.get_referents(coroutine)
            frame, inner = None, next((each for each in within if _one_of(each, _FRAMES) is not None), None)
        else:
            frame, inner = _one_of(coroutine, _FRAMES), _one_of(coroutine, _AWAITS)
        if frame is not None:
            found.append((coroutine, frame))
        if inner is None:
            break
        coroutine = inner
    return found


def _key(chain: list[_Suspended]) -> StackKey:
    parts: list[Any] = []
    for _, frame in reversed(chain):
        parts += (frame.f_code, frame.f_lasti)
    return tuple(parts[: 2 * _DEEPEST])


def _followed(waiter: Any, behind: list[Any], chain: list[_Suspended]) -> Any:
    """The task that a task with this waiter and these coroutines waits for."""
    if waiter is None:
        return None
    if _is_task(waiter):
        return waiter
    if type(waiter).__name__ == "_GatheringFuture":
        return next((each for each in waiter._children if _is_task(each) and not each.done()), None)
    shielded = next((each for each in behind if _is_task(each)), None)
    if shielded is not None or not chain:
        return shielded
    coroutine, frame = chain[-1]
    if _lies_in(frame, _GATHERING) and frame.f_code.co_name != "sleep":
        return _oldest(_tasks_in(coroutine, everywhere=True))
    if any(_lies_in(frame, _SIGNALS) for _, frame in chain[-4:]):
        # Only another task can end this. The innermost group that is open here spawned it.
        found = (_oldest(_tasks_in(each, everywhere=False)) for each, _ in reversed(chain))
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
    if frame is not None:
        held += gc.get_referents(frame)
    cells = [each for each in held if type(each) is CellType]  # variables that functions inside it use
    return held + gc.get_referents(*cells) if cells else held


def _oldest(tasks: Iterable[Any]) -> Any:
    return min((task for task in tasks if not task.done()), key=_age, default=None)


def _due(chain: list[_Suspended]) -> float | None:
    """When the timer of `asyncio.sleep` goes off, in the loop's time."""
    if not chain or chain[-1][1].f_code.co_name != "sleep":
        return None
    for local in _locals_of(chain[-1][0]):
        if type(local).__name__ == "TimerHandle" and type(local).__module__ in _TIMERS:
            return float(local.when())
    return None


def _source(behind: list[Any]) -> Any:
    """The future of the worker thread that will set a waiter, among what the waiter's callbacks hold."""
    base = getattr(sys.modules.get("concurrent.futures._base"), "Future", None)
    return base and next((each for each in behind if issubclass(type(each), base)), None)


def _closures(waiter: Any) -> Iterator[Any]:
    for each in list(getattr(waiter, "_callbacks", None) or ()):
        if type(each) is tuple and type(each[0]) is FunctionType:
            for cell in each[0].__closure__ or ():
                try:
                    yield cell.cell_contents
                except ValueError:
                    continue  # still empty


def _lies_in(frame: Any, files: tuple[str, ...]) -> bool:
    path: str = frame.f_code.co_filename
    return path.replace("\\", "/").endswith(files)


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
