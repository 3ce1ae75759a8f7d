"""Keeps the stacks that are sampled in the few seconds somebody asked to see."""

from __future__ import annotations

from apm_agent.model import seconds
from apm_agent.model.profile import Stack
from apm_agent.model.seconds import Asked, Captured, Seen


class Capture:
    """One capture in this process, over once the clock reads `until_ns`; what it holds only ever grows."""

    def __init__(self, asked: Asked, now_ns: int) -> None:
        self.id = asked.id
        self.until_ns = now_ns + int(asked.seconds * 1e9)
        self._sums: dict[Stack, list[int]] = {}

    def add(self, stack: Stack, ns: int) -> None:
        """Count a sample."""
        key = seconds.shortened(stack)
        sums = self._sums.get(key)
        if sums is None:
            if len(self._sums) >= seconds.MOST_STACKS:
                key = seconds.OTHER
            sums = self._sums.setdefault(key, [0, 0])
        sums[0] += ns
        sums[1] += 1

    def told(self, store: str, service: str, host: str, pid: int, done: bool) -> Captured:
        """All of it so far."""
        stacks = tuple(Seen(stack, ns, samples) for stack, (ns, samples) in self._sums.items())
        return Captured(self.id, store, service, host, pid, done, stacks)
