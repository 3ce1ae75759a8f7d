"""Keeps: schema, writes, rollups and retention of the one SQLite file."""

from __future__ import annotations

from collections.abc import Callable

from apm_agent.errors import StoreError
from apm_agent.model.record import Process
from apm_agent.store.base import Store


def _sqlite(url: str, process: Process, max_size: int, max_age: float) -> Store:
    # Imported when a store is opened, so that importing the agent loads no sqlite3.
    from apm_agent.store.location import path_of
    from apm_agent.store.sqlite import SQLiteStore

    return SQLiteStore(path_of(url), process, max_size, max_age)


def _clickhouse(url: str, process: Process, max_size: int, max_age: float) -> Store:
    # A worker opens no connection: it writes its own file, which costs nothing while a server is away.
    raise StoreError(
        "an application writes the file of its own machine: leave `store` as it is, and run"
        " `apm-agent ship clickhouse://…` beside it (docs/many-machines.md)"
    )


#: URL scheme → what opens it.
STORES: dict[str, Callable[[str, Process, int, float], Store]] = {
    "sqlite": _sqlite, "clickhouse": _clickhouse, "clickhouses": _clickhouse,
}  # fmt: skip


def open_store(
    url: str, process: Process, max_size: int = 512 * 2**20, max_age: float = 7 * 86400.0
) -> Store:
    """Open the store behind a URL; raises `StoreError` with the cure when it cannot be used."""
    return STORES[_scheme_of(url)](url, process, max_size, max_age)


def load(url: str) -> None:
    """Import what writing will need, now and in the calling thread.

    A thread that imports while another forks leaves the child with a lock that nobody will ever release; and beside
    threads that compute an import takes seconds, for it gives the GIL up at every file. What cannot be imported
    is the writer's to tell of, not the start of an application's to fail for.
    """
    if STORES[_scheme_of(url)] is _sqlite:
        from apm_agent.store.location import path_of

        try:
            from apm_agent.store.sqlite import load as load_sqlite

            load_sqlite(path_of(url))
        except (ImportError, StoreError):  # of a Python without sqlite3, or of sqlite-utils
            return


def absolute(url: str) -> str:
    """The URL whatever the working folder becomes later; raises `StoreError` for one that names no store."""
    from apm_agent.store.location import PREFIX, path_of

    if STORES[_scheme_of(url)] is _clickhouse:
        return url
    return PREFIX + path_of(url)


def _scheme_of(url: str) -> str:
    scheme = url.partition("://")[0]
    if scheme not in STORES:
        known = ", ".join(f"{name}:///path" for name, opened in STORES.items() if opened is _sqlite)
        raise StoreError(f"no store for {url!r}: write {known}")
    return scheme
