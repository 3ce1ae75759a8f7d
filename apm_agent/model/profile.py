"""Frames, stacks and profiles: what the sampler saw, before and after it gets names.

A *stack key* is what the sampler can afford to keep: a flat tuple ``(code, instruction, code, instruction, …)``,
innermost frame first. A *stack* is what people and stores read: a tuple of `Frame`, outermost first. A *profile*
maps stacks to nanoseconds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

StackKey = tuple[Any, ...]

#: States of a sample. `RUNNING`: the stack is where the time went. `UNCERTAIN`: the look came late and the
#: innermost frame is a blocking call, so where the time went is not known beyond the enclosing function.
#: `WAITING`: the transaction was suspended (a task awaiting); the stack is what it awaited.
RUNNING, UNCERTAIN, WAITING = 0, 1, 2
STATES = ("running", "uncertain", "waiting")


class Sample(NamedTuple):
    """One look at a stack: when (monotonic ns), worth how many ns, which stack, in which state.

    `cpu_ns` is the processor time its thread used meanwhile; None where that is not known.
    """

    at_ns: int
    weight_ns: int
    stack: StackKey
    state: int
    cpu_ns: int | None = None


class Wait:
    """Time a transaction was suspended in one place: until when (monotonic ns), how many ns, which stack.

    It grows with every look that finds the transaction still there.
    """

    __slots__ = ("at_ns", "stack", "weight_ns")

    def __init__(self, at_ns: int, weight_ns: int, stack: StackKey) -> None:
        self.at_ns = at_ns
        self.weight_ns = weight_ns
        self.stack = stack


class Frame(NamedTuple):
    """A function at a line. `file` is short, for people; `path` is where it lies on the disk that ran it.

    `category`: ``app`` the user's own code, ``lib`` installed packages, ``std`` the standard library.
    """

    function: str
    file: str
    line: int
    category: str = "app"
    path: str = ""


Stack = tuple[Frame, ...]
Profile = dict[Stack, int]
