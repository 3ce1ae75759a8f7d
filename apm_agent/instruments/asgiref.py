"""asgiref: work that ``sync_to_async`` takes to a thread keeps the line that asked for it."""

from __future__ import annotations

from apm_agent.instruments.handing import hand
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support

PATCHES = (Returning("asgiref.sync:SyncToAsync.__call__", hand),)

#: For docs/supported.md.
SUPPORT = Support(
    "Python's own",
    "asgiref",
    "patch of `SyncToAsync.__call__`",
    "nothing of its own: work taken to a thread keeps its transaction and the line that asked for it",
    ("asgiref",),
)
