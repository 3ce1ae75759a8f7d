"""Where a store is, as people write it on the command line: a URL or the path of a file."""

from __future__ import annotations

import os

from apm_agent.config import load

_SQLITE = "sqlite:///"


def url(text: str) -> str:
    """A store's URL from a URL or a path."""
    return text if "://" in text else f"{_SQLITE}{text}"


def absolute(store: str) -> str:
    """The same store for a process in another folder."""
    if not store.startswith(_SQLITE):
        return store
    path = store[len(_SQLITE) :]
    return _SQLITE + os.path.abspath(path) if path else store


def shown(store: str) -> str:
    """The store for people: the path from here where there is one."""
    if not store.startswith(_SQLITE):
        return store
    path = os.path.relpath(store[len(_SQLITE) :])
    return path if not path.startswith(os.pardir) else store[len(_SQLITE) :]


def chosen(option: str | None) -> str:
    """The store a command reads: what the option says, else the settings' own, from anywhere."""
    return absolute(url(option) if option else load().store)
