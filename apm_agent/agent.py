"""Builds the parts a Config asks for and connects them: install, uninstall, flush, fork.

One agent a process. Threads start in the process that serves, on its first transaction: a server that forks its
workers after loading the application hands each of them parts without threads.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from apm_agent import config as settings
from apm_agent.clock import system
from apm_agent.config import Config
from apm_agent.errors import InstallError, contained
from apm_agent.insights import rules
from apm_agent.instruments import patching
from apm_agent.model import arm as arms
from apm_agent.model import scrub, scrub_rules, threads
from apm_agent.model.origin import Origin
from apm_agent.model.threshold import Thresholds
from apm_agent.profiling import decorated
from apm_agent.profiling.armed import Armed
from apm_agent.profiling.captures import captures
from apm_agent.profiling.cprofile import Deterministic
from apm_agent.profiling.cpu import Cpu
from apm_agent.profiling.curve import Curve
from apm_agent.profiling.gc import Collections
from apm_agent.profiling.live import Live, Whose
from apm_agent.profiling.memory import Memory
from apm_agent.profiling.sampler import Sampler
from apm_agent.recording import process
from apm_agent.recording.digest import Digest
from apm_agent.recording.recorder import Recorder
from apm_agent.recording.scrub_function import ScrubFunction
from apm_agent.recording.slowline import Printer
from apm_agent.recording.writer import Writer
from apm_agent.store import absolute, load, open_store
from apm_agent.store.base import Store
from apm_agent.store.location import path_of, prepare
from apm_agent.tracing import caller, propagation
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.tracer import Profiler, Tracer

_agent: Agent | None = None
_provisional = False


class Agent:
    """The parts of one process, connected."""

    def __init__(self, config: Config) -> None:
        self.config = config
        # A daemon may leave the folder it was started in before the first write.
        self.store = absolute(config.store)
        self.origin = Origin(config.app_root)
        self.memory = Memory() if config.memory else None
        self.collections = Collections() if config.gc else None
        self.sampler = Sampler(config.sample_interval, config.sampler_budget) if config.sampler else None
        self.live = self._live(self.sampler) if self.sampler is not None else None
        self.deterministic = Deterministic(config.cprofile_share)
        self.profilers: tuple[Profiler, ...] = ()
        self.armed = Armed(
            arms.folder_of(path_of(self.store)),
            partial(process.service_of, config),
            captures(self.origin, self.deterministic),
            self.arm,
        )
        self.recorder = Recorder(config.max_queue, config.ignore)
        self.digest = Digest(config, self.origin, rules(Thresholds.of(config.insight_thresholds)))
        self.writer = Writer(
            self.recorder,
            self.open_store,
            self.digest.digest,
            interval=config.flush_interval,
            state=self.state,
            on_record=Printer(config.slow) if config.log_slow else None,
            attend=self.armed.look,
        )

    def arm(self, on: bool) -> None:
        """Tell the profiler of what is armed of every transaction, or of none any more."""
        tracer = tracing.tracer
        if tracer is not None:
            tracer.use((*self.profilers, self.armed) if on else self.profilers)

    def _live(self, sampler: Sampler) -> Live:
        """What tells of transactions in flight, beside the looks at them."""

        def hear(samples: list[Any] | None) -> None:
            sampler.looks.heard = samples

        path = path_of(self.store)
        whose = Whose(path, process.service_of(self.config), process.host())
        live = Live(whose, self.origin, hear, prepare=partial(prepare, path))
        curve = Curve(self.memory) if self.memory is not None else None
        sampler.beside = live.look if curve is None else lambda busy: live.look(busy) + curve.look(busy)
        return live

    def open_store(self) -> Store:
        """Open the store as the process that runs now; called by the writer, and again after a fork."""
        config = self.config
        return open_store(self.store, process.describe(config), config.max_size, config.max_age)

    def start(self) -> None:
        """Turn on: patch what is imported, and let transactions begin."""
        config = self.config
        threads.warn()
        caller.configure(self.origin)
        function = ScrubFunction(config.scrub_function) if config.scrub_function else None
        scrub.configure(scrub_rules.read(config.scrub), function)
        load(self.store)
        if self.memory is not None:
            self.memory.resident()  # what reads it is loaded now, and not by the first request
        # In the order of what they cost to have inside: what is started first measures the others too.
        cpu = Cpu(system) if system.has_cpu else None
        asked = config.cprofile_share or config.cprofile_header
        if asked:
            self.deterministic.prepare()
        given = (self.memory, self.sampler, cpu, self.deterministic if asked else None)
        self.profilers = tuple(p for p in given if p is not None)
        # First, because it refuses a library it does not know, and nothing may be hooked by then.
        patching.apply(config.instruments_off)
        propagation.configure(config.propagate_to)
        if self.collections is not None:
            self.collections.hook()
        decorated.watch()
        sink = self.recorder.__call__  # its method, because a call of an object is slower
        tracing.tracer = Tracer(sink, self.profilers, system, config.max_spans)

    def stop(self) -> None:
        """Turn off and write what is queued; every patched object is put back."""
        tracing.tracer = None
        patching.remove()
        propagation.configure(())
        if self.collections is not None:
            self.collections.unhook()
        if self.sampler is not None:
            self.sampler.close()
        if self.live is not None:
            self.live.close()
        self.writer.close()
        if self.memory is not None:
            self.memory.close()
        scrub.configure()

    def after_fork(self) -> None:
        """Make anew, in the child, whatever holds a thread, a lock or a descriptor."""
        parts = (self.memory, self.sampler, self.deterministic, self.armed, self.recorder, self.writer)
        for part in parts:
            if part is not None:
                part.after_fork()

    def state(self) -> dict[str, Any]:
        """What the Health page shows of this process, beyond what the writer knows of itself."""
        return {
            "sampler": self.sampler.stats() if self.sampler is not None else None,
            "instruments": [
                {"name": name, "state": state, "detail": detail} for name, state, detail in patching.states()
            ],
            "armed": self.armed.stats(),
            "contained": [
                {"what": what, "error": scrub.scrub_kept("error", error), "count": count}
                for (what, error), count in list(contained.seen.items())[:50]
            ],
            "settings": {
                name: scrub.without_login(getattr(self.config, name))
                for name in settings.NAMES
                if name not in settings.SECRETS
            },
            "rss": self.memory.resident() if self.memory is not None else None,
        }


def install(
    arguments: Mapping[str, Any] | None = None,
    framework: Mapping[str, Any] | None = None,
    *,
    provisional: bool = False,
) -> None:
    """Install once a process; the same settings again do nothing, others raise `InstallError`.

    A `provisional` install, made before the application had a chance to speak (`apm-agent run`), gives way to
    the first one that names settings.
    """
    global _agent, _provisional
    if _agent is not None and not (_provisional and (arguments or framework)):
        _accept_again(_agent.config, arguments, framework)
        return
    config = settings.load(arguments, framework=framework)
    if _agent is not None:
        _provisional = False
        if config == _agent.config:
            return
        uninstall()
    if not config.enabled:
        return
    agent = Agent(config)
    agent.start()
    _agent, _provisional = agent, provisional


def _accept_again(
    now: Config, arguments: Mapping[str, Any] | None, framework: Mapping[str, Any] | None
) -> None:
    # A middleware or framework hook that names no settings of its own joins the agent that is there.
    if not arguments and not framework:
        return
    asked = settings.load(arguments, framework=framework)
    given = {**(framework or {}), **(arguments or {})}
    for name in given:
        if getattr(asked, name) != getattr(now, name):
            shown = (
                "another value"
                if name in settings.SECRETS
                else f"{getattr(now, name)!r}, now {getattr(asked, name)!r}"
            )
            raise InstallError(
                f"apm-agent is already installed with {name}={shown}. "
                "Give all settings in one place, or call apm_agent.uninstall() first."
            )


def uninstall() -> None:
    """Stop watching this process; installing again is fine."""
    global _agent
    agent, _agent = _agent, None
    if agent is not None:
        agent.stop()


def flush(timeout: float = 2.0) -> bool:
    """Write what is queued now; True when nothing is left within `timeout` seconds."""
    return _agent.writer.flush(timeout) if _agent is not None else True


def config() -> Config | None:
    """The settings in force; None when the agent is off."""
    return _agent.config if _agent is not None else None


def _after_fork_in_child() -> None:
    if _agent is not None:
        with contained("starting anew after a fork"):
            _agent.after_fork()


def _at_exit() -> None:
    if _agent is None:
        return
    with contained("writing at exit"):
        _agent.writer.flush(2.0)
    if getattr(sys, "last_type", None) is KeyboardInterrupt and not hasattr(sys, "ps1"):
        _die_of_the_interrupt()


def _die_of_the_interrupt() -> None:
    # A script ended by Ctrl-C dies by that signal, which shells and supervisors look at. CPython notes it when
    # the interrupt leaves the main code and forgets it when any text is evaluated later, as importing modules
    # does; noted again the same way, the exit stays what it was. (run_eval_code_obj in Python/pythonrun.c)
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        pass


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
