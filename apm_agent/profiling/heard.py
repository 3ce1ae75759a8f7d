"""Counts samples up by function while somebody asks what runs."""

from __future__ import annotations

from collections import defaultdict

from apm_agent.model.live import MOST_FUNCTIONS, Function
from apm_agent.model.origin import Origin
from apm_agent.model.profile import Stack, StackKey
from apm_agent.profiling.frames import resolve
from apm_agent.profiling.seconds import Capture

#: A function is told apart by its name, its file and whose code that is.
_Key = tuple[str, str, str]

_MOST_SAMPLES = 50_000
_MOST_STACKS = 5_000
_MOST_KNOWN = 20_000
OTHER = ("(other functions)", "", "lib")


class Heard:
    """`samples` is what the sampler appends to: stack and nanoseconds. What is counted only ever grows."""

    def __init__(self, origin: Origin) -> None:
        self.samples: list[tuple[StackKey, int]] = []
        self.sampled_ns = 0
        self._origin = origin
        self._own: dict[_Key, int] = defaultdict(int)
        self._total: dict[_Key, int] = defaultdict(int)
        #: By identity, because a code object's own hash reads all of its text. Holds the key, so ids stay true.
        self._stacks: dict[tuple[int, ...], tuple[StackKey, Stack, tuple[_Key, ...]]] = {}
        #: who else hears of every stack, while somebody wants them whole
        self.capture: Capture | None = None

    def count(self) -> None:
        """Count what was heard since the last time."""
        samples = self.samples[:_MOST_SAMPLES]
        del self.samples[: len(samples)]
        for key, ns in samples:
            stack, functions = self._named(key)
            self.sampled_ns += ns
            if self.capture is not None:
                self.capture.add(stack, ns)
            if functions:
                self._add(self._own, functions[-1], ns)
                for function in set(functions):
                    self._add(self._total, function, ns)

    def functions(self) -> tuple[Function, ...]:
        """Those with most own time and those with most time in all."""
        own = sorted(self._own, key=self._own.__getitem__, reverse=True)[:MOST_FUNCTIONS]
        total = sorted(self._total, key=self._total.__getitem__, reverse=True)[:MOST_FUNCTIONS]
        return tuple(
            Function(*key, self._own.get(key, 0), self._total[key])
            for key in {**dict.fromkeys(own), **dict.fromkeys(total)}
        )

    def _add(self, sums: dict[_Key, int], key: _Key, ns: int) -> None:
        sums[key if key in sums or len(sums) < _MOST_KNOWN else OTHER] += ns

    def _named(self, key: StackKey) -> tuple[Stack, tuple[_Key, ...]]:
        ids = (*map(id, key[::2]), *key[1::2])
        known = self._stacks.get(ids)
        if known is None:
            if len(self._stacks) >= _MOST_STACKS:
                self._stacks.clear()
            stack = resolve(key, self._origin)
            known = self._stacks[ids] = (key, stack, tuple((f.function, f.file, f.category) for f in stack))
        return known[1:]
