"""asgiref: work that ``sync_to_async`` takes to a thread keeps the line that asked for it."""

from __future__ import annotations

from apm_agent.instruments.handing import hand
from apm_agent.instruments.rows import Returning

PATCHES = (Returning("asgiref.sync:SyncToAsync.__call__", hand),)
