"""peewee: waiting for its pool; its statements are those of the driver below."""

from __future__ import annotations

from apm_agent.instruments.rows import Timed

PATCHES = (Timed("playhouse.pool:PooledDatabase.connect", kind="wait", name="connection pool"),)
