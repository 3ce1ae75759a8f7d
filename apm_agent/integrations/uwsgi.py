"""uWSGI, which loads applications in C: the module it is told of is watched, and its callable wrapped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments import importing
from apm_agent.instruments.support import Support
from apm_agent.model import threads

_reading = contained("reading uWSGI's options")
_wrapping = contained("wrapping an application")

Wrap = Callable[[Any], Any]

#: Options that name a module, and how uWSGI calls the callable in it when it is not said.
_OPTIONS = ("module", "wsgi", "mount")
_CALLABLE = "application"


def watch(wrap: Wrap) -> None:
    """Wrap what uWSGI will load; elsewhere do nothing."""
    # A program that has Python inside has no command line of Python's own; the wheel `pyuwsgi` has one with its name.
    words = getattr(sys, "orig_argv", ())
    if not words or any("uwsgi" in word for word in words[:3]):
        sys.meta_path.insert(0, _Finder(wrap))


class _Finder:
    """Asked at each import until uWSGI's own module is there, which tells what will be imported as application."""

    def __init__(self, wrap: Wrap) -> None:
        self.wrap: Wrap | None = wrap

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        # It stays where it is afterwards: taking it out would make whoever walks through the list skip the next.
        uwsgi = sys.modules.get("uwsgi") if self.wrap is not None else None
        if uwsgi is None or not hasattr(uwsgi, "opt"):
            return
        wrap, self.wrap = self.wrap, None
        with _reading:
            threads.warn()  # the agent was on before there was a server
            for module, attribute in _applications(uwsgi.opt):
                importing.watch(module, _wrapper(wrap, attribute))


def _applications(options: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    """Module and attribute of each application in the options: ``shop:app``, or ``/prefix=shop:app``."""
    named = {_text(name): value for name, value in options.items()}
    default = _text(named.get("callable", _CALLABLE))
    for option in _OPTIONS:
        found = named.get(option, ())
        for value in found if isinstance(found, (list, tuple)) else (found,):
            module, _, attribute = _text(value).rpartition("=")[2].partition(":")
            if module and "/" not in module and not module.endswith(".py"):
                yield module, attribute or default


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _wrapper(wrap: Wrap | None, attribute: str) -> Callable[[ModuleType], None]:
    def imported(module: ModuleType) -> None:
        with _wrapping:
            app = getattr(module, attribute, None)
            if wrap is not None and app is not None:
                setattr(module, attribute, wrap(app))

    return imported


#: For docs/supported.md.
SUPPORT = Support(
    "Servers",
    "uWSGI",
    "the module named by `--module`, `--wsgi` or `--mount` is wrapped as it is imported; forks in C are "
    "noticed",
    "what `--wsgi-file` names is seen if it is Flask or Django; otherwise wrap it in the file: "
    "`apm_agent.wsgi(app)`. Up to 2.0.26 only with `--enable-threads`, which is said where it is missing",
    ("pyuwsgi",),
)
