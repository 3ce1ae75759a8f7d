"""What a file of instruments or integrations says of the library it watches; `make docs` makes the table of it."""

from __future__ import annotations

from typing import NamedTuple

#: The tables of docs/supported.md, in their order.
GROUPS = (
    "Frameworks", "Servers", "Databases", "Caches and stores", "HTTP and RPC", "Templates", "Jobs", "Logs and traces",
    "Python's own",
)  # fmt: skip


class Support(NamedTuple):
    """One line of the table, as a constant ``SUPPORT`` of the file, made of nothing but text.

    Versions are not here: which ones the tests ran with is kept in ``docs/tested.json``.
    """

    #: One of `GROUPS`.
    group: str
    #: As people call it, and which ways of using it are meant.
    library: str
    #: The hook that is used, or what is patched.
    how: str
    #: What is recorded, and what is not though one would expect it.
    recorded: str
    #: As they are called on PyPI; none for what comes with Python.
    distributions: tuple[str, ...] = ()
    #: Said behind the versions.
    note: str = ""
