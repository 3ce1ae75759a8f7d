"""Where a store is, as people write it on the command line: a URL or the path of a file."""

from __future__ import annotations

import os

from apm_agent.clickhouse.address import is_clickhouse, parse
from apm_agent.config import load
from apm_agent.errors import StoreError

_SQLITE = "sqlite:///"


def url(text: str) -> str:
    """A store's URL from a URL or a path."""
    return text if "://" in text else f"{_SQLITE}{text}"


def absolute(store: str) -> str:
    """The same store for a process in another folder."""
    path = _path(store)
    return _SQLITE + os.path.abspath(path) if path else store


def shown(store: str) -> str:
    """The store for people: the path from here where there is one."""
    path = _path(store)
    if not path:
        return parse(store, StoreError).shown if is_clickhouse(store) else store
    near = os.path.relpath(path)
    return path if near.startswith(os.pardir) else near


def chosen(option: str | None) -> str:
    """The store a command is about: what the option says, else what the settings say."""
    return absolute(url(option) if option else load().store)


def readable(option: str | None) -> str:
    """`chosen`, or `StoreError` with the cure when nothing has been written there yet."""
    store = chosen(option)
    path = _path(store)
    if path and not os.path.exists(path):
        raise StoreError(
            f"there is no store at {shown(store)} yet. Start the application with `apm-agent run`, "
            "or name the right file with --store."
        )
    return store


def is_file(store: str) -> bool:
    """Whether it is a store of this machine."""
    return bool(_path(store))


def _path(store: str) -> str:
    return store[len(_SQLITE) :] if store.startswith(_SQLITE) else ""
