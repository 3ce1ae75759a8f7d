"""The profilers, each used as its documentation says, and what each saw of the functions of `work`."""

from __future__ import annotations

import cProfile
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from work import FILE, FUNCTIONS

_FRAME = re.compile(r"(.*) \((.*?)(?::\d+)?\)")
_NAME = Path(FILE).name


@contextmanager
def _nothing() -> Iterator[None]:
    yield


class Watch:
    """No profiler, and what all have in common. `seen` is time by function in the profiler's own unit."""

    #: which truth it is held against
    clock = "wall"
    #: seconds for which it still does something once the work has ended
    lingers = 0.0

    def __init__(self, rate: float, budget: float) -> None:
        self.rate = rate
        self.budget = budget
        self.seen: Counter[str] = Counter()
        #: what it says of itself
        self.said: dict[str, float] = {}

    def start(self) -> None:
        """Turn on."""

    def stop(self) -> None:
        """Turn off and fill `seen`."""

    def settle(self) -> None:
        """Do what was put off while the work went on."""

    def thread(self) -> AbstractContextManager[Any]:
        return _nothing()

    def task(self) -> AbstractContextManager[Any]:
        return _nothing()

    def transaction(self, name: str) -> AbstractContextManager[Any]:
        return _nothing()


class Ours(Watch):
    """The agent as an application has it, read from its store as the pages do."""

    lingers = 0.7  # its thread ticks half a second longer, for the next transaction may be there at once

    def settle(self) -> None:
        import apm_agent

        apm_agent.flush()

    def start(self) -> None:
        import apm_agent

        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{self.folder.name}/apm.db"
        apm_agent.install(
            store=self.url, service="work", sample_interval=1 / self.rate, sampler_budget=self.budget
        )

    def transaction(self, name: str) -> AbstractContextManager[Any]:
        import apm_agent

        found: AbstractContextManager[Any] = apm_agent.background_transaction(name)
        return found

    def stop(self) -> None:
        import apm_agent
        from apm_agent import agent
        from apm_agent.model.profile import UNCERTAIN
        from apm_agent.queries.connection import connect
        from apm_agent.queries.profile import of_window
        from apm_agent.queries.scope import scope_of
        from apm_agent.queries.window import of_range

        assert agent._agent is not None
        assert agent._agent.sampler is not None
        stats = agent._agent.sampler.stats()
        apm_agent.uninstall()
        with connect(self.url) as connection:
            stacks = of_window(connection, of_range("1h"), list(scope_of(connection).endpoints)).stacks
        for weighed in stacks:
            name = _innermost((frame.function, frame.path) for frame in reversed(weighed.stack))
            if name:
                self.seen[name] += weighed.weight_ns
        whole = sum(each.weight_ns for each in stacks) or 1
        unsure = sum(each.weight_ns for each in stacks if each.state == UNCERTAIN)
        self.said = {
            "looks": stats["achieved_per_s"] or 0.0,
            "cpu": stats["cpu_share"],
            "uncertain": unsure / whole,
        }
        self.folder.cleanup()


class Pyinstrument(Watch):
    """One profiler a thread, or a task, because each sees only its own."""

    def thread(self) -> AbstractContextManager[Any]:
        return self._profiled("disabled") if not self.tasks else _nothing()

    def task(self) -> AbstractContextManager[Any]:
        return self._profiled("enabled")

    tasks = False

    @contextmanager
    def _profiled(self, mode: Any) -> Iterator[None]:
        from pyinstrument import Profiler

        profiler = Profiler(interval=1 / self.rate, async_mode=mode)
        profiler.start()
        try:
            yield
        finally:
            for stack, seconds in profiler.stop().frame_records:
                parts = (identifier.split("\x00") for identifier in reversed(stack))
                name = _innermost((part[0], part[1]) for part in parts if len(part) > 1)
                if name:
                    self.seen[name] += seconds


class Yappi(Watch):
    """Every thread and coroutine, on the wall's clock."""

    def start(self) -> None:
        import yappi

        yappi.set_clock_type(self.clock)
        yappi.start(builtins=False, profile_threads=True)

    def stop(self) -> None:
        import yappi

        yappi.stop()
        for row in yappi.get_func_stats():
            if row.name in FUNCTIONS and row.module == FILE:
                self.seen[row.name] += row.ttot
        yappi.clear_stats()


class YappiCpu(Yappi):
    """The same on the processor's clock."""

    clock = "cpu"


class CProfile(Watch):
    """One profiler a thread; where the interpreter allows only one, the first thread alone is measured."""

    @contextmanager
    def _profiled(self) -> Iterator[None]:
        profiler = cProfile.Profile()
        try:
            profiler.enable()
        except ValueError:
            yield
            return
        try:
            yield
        finally:
            profiler.disable()
            for entry in profiler.getstats():
                code: Any = entry.code
                if not isinstance(code, str) and code.co_filename == FILE and code.co_name in FUNCTIONS:
                    self.seen[code.co_name] += entry.totaltime

    def thread(self) -> AbstractContextManager[Any]:
        return self._profiled()


WATCHES: dict[str, type[Watch]] = {
    "none": Watch,
    "ours": Ours,
    "py-spy": Watch,
    "py-spy --nonblocking": Watch,
    "pyinstrument": Pyinstrument,
    "yappi wall": Yappi,
    "yappi cpu": YappiCpu,
    "cProfile": CProfile,
}


def of_folded(text: str) -> Counter[str]:
    """What py-spy saw: lines of a stack and how often, frames as `function (file:line)`."""
    seen: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = (_FRAME.fullmatch(frame) for frame in reversed(stack.split(";")))
        name = next((f[1] for f in frames if f and f[1] in FUNCTIONS and f[2] == _NAME), "")
        if name:
            seen[name] += int(count)
    return seen


def _innermost(frames: Iterator[tuple[str, str]]) -> str:
    return next((name for name, path in frames if name in FUNCTIONS and path == FILE), "")
