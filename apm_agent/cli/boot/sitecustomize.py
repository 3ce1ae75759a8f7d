"""Watches every Python started below `apm-agent run`: found first on PYTHONPATH, before the application."""

# Kept to what every Python 3 reads: the command may start interpreters that are not ours.
import os
import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec

_HERE = os.path.dirname(os.path.abspath(__file__))


def _run_the_one_that_was_here_before() -> None:
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


def _watch() -> None:
    if find_spec("apm_agent") is not None:
        from apm_agent.integrations import auto

        auto.install()
    elif os.environ.get("_APM_AGENT_PID") == str(os.getpid()):
        # `run` becomes the command, which so keeps its number: of all processes only that one speaks.
        python = sys.executable
        sys.stderr.write("apm-agent: nothing is watched, because it is not installed for this Python; ")
        sys.stderr.write("run: %s -m pip install apm-agent\n" % python)  # noqa: UP031


try:
    _run_the_one_that_was_here_before()
finally:
    _watch()
