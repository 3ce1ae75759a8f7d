"""The tasks of an event loop and what each of them awaits, seen from another thread."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

from apm_agent.model.current import current, transaction_of
from apm_agent.model.profile import StackKey
from apm_agent.model.transaction import Transaction
from apm_agent.profiling.attribution import context_of

_DEEPEST = 400
_MOST_TASKS = 5000
_NUMBER = re.compile(r"\d+\Z")
#: Coroutines, generators and async generators call the same thing by three names.
_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITS = ("cr_await", "gi_yieldfrom", "ag_await")


def tasks_of(loop: Any) -> list[tuple[Transaction, Any]]:
    """The unfinished tasks that belong to a transaction, those made first in front."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return []
    found = []
    for task in list(asyncio.all_tasks(loop))[:_MOST_TASKS]:
        context = context_of(task)
        transaction = transaction_of(context.get(current)) if context is not None else None
        if transaction is not None:
            found.append((transaction, task))
    return sorted(found, key=lambda each: _age(each[1]))


def key_of_task(task: Any) -> StackKey:
    """Code and instruction of each coroutine the task is suspended in, what it awaits innermost and first."""
    # A loop may have tasks of its own making.
    coroutine = task.get_coro() if hasattr(task, "get_coro") else None
    return tuple(part for frame in reversed(list(_chain(coroutine))) for part in frame)


def _chain(coroutine: Any) -> Iterator[tuple[Any, int]]:
    for _ in range(_DEEPEST):
        frame = _one_of(coroutine, _FRAMES)
        if frame is not None:
            yield frame.f_code, frame.f_lasti
        coroutine = _one_of(coroutine, _AWAITS)
        if coroutine is None:
            return


def _one_of(thing: Any, names: tuple[str, ...]) -> Any:
    return next((found for name in names if (found := getattr(thing, name, None)) is not None), None)


def _age(task: Any) -> tuple[int, str]:
    """asyncio numbers tasks as they are made; the application may name them otherwise."""
    name = str(task.get_name())
    number = _NUMBER.search(name)
    return (int(number[0]) if number else sys.maxsize, name)
