"""Times the lines of an endpoint's hottest functions in one transaction, when that is armed."""

from __future__ import annotations

import gc
from types import CodeType, FunctionType
from typing import Any

from apm_agent.errors import ConfigError
from apm_agent.model.arm import Arm, Function
from apm_agent.model.transaction import LINES, Transaction
from apm_agent.profiling.attribution import get_ident
from apm_agent.profiling.linetimer import Timer, add


class LineTimings:
    """One of the captures that can be armed; lays ``notes["lines"]`` on the transaction.

    The functions run with a code of the same lines while they are armed, and get their own back afterwards.
    """

    def __init__(self) -> None:
        self._timers: dict[str, Timer] = {}
        self._lent: list[tuple[FunctionType, CodeType, CodeType]] = []
        self._on: tuple[Timer, int] | None = None
        self._orphans: dict[int, Timer] = {}

    def prepare(self, arm: Arm) -> str:
        """Find the functions that were asked for and make them ready to be timed."""
        if not arm.functions:
            return "no function was named to time by line"
        try:
            timer = Timer()
        except ConfigError as error:
            return str(error)
        found = [
            each for each in gc.get_objects() if type(each) is FunctionType and _is_one(each, arm.functions)
        ]
        if not found:
            names = ", ".join(function.name for function in arm.functions[:3])
            return f"this process has no {names} as it was sampled"
        replaced: dict[int, CodeType] = {}
        for function in found:
            before = function.__code__
            after = replaced.get(id(before)) or timer.add(function)
            replaced[id(before)] = after
            function.__code__ = after
            self._lent.append((function, before, after))
        self._timers[arm.id] = timer
        return ""

    def begin(self, transaction: Transaction, arm: Arm) -> str:
        """Time this thread from here on; else why not."""
        timer = self._timers[arm.id]
        why = timer.on()
        if not why:
            self._on = (timer, get_ident())
        return why

    def end(self, transaction: Transaction, keep: bool) -> str:
        """Lay hits and times on the transaction; else why there are none."""
        on, self._on = self._on, None
        if on is None:
            return "it was not timed"
        timer, ident = on
        if ident != get_ident():
            # Only its own thread can take a trace function off; it does so when it next comes by.
            self._orphans[ident] = timer
            return "it ended on another thread"
        timer.off()
        taken = timer.taken()
        if not keep:
            return ""
        notes = transaction.notes = transaction.notes or {}
        add(notes.setdefault(LINES, {}), taken)
        return "" if taken else "none of the functions ran on its own thread"

    def relieve(self) -> None:
        """Take off this thread what was left there by a transaction that ended on another one."""
        timer = self._orphans.pop(get_ident(), None) if self._orphans else None
        if timer is not None:
            timer.off()
            timer.taken()

    def over(self) -> None:
        """Give the functions their own code back, unless somebody gave them another one meanwhile."""
        lent, self._lent = self._lent, []
        for function, before, after in lent:
            if function.__code__ is after:
                function.__code__ = before
        self._timers.clear()

    @property
    def idle(self) -> bool:
        """Nothing of ours traces any thread."""
        return self._on is None and not self._orphans


def _is_one(function: Any, wanted: tuple[Function, ...]) -> bool:
    code = function.__code__
    name = getattr(code, "co_qualname", code.co_name)
    return any(
        each.path == code.co_filename and each.name == name and _has(code, each.line) for each in wanted
    )


def _has(code: CodeType, line: int) -> bool:
    return line == code.co_firstlineno or any(line == number for _, _, number in code.co_lines())
