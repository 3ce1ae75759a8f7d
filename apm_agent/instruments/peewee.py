"""peewee: waiting for its pool; its statements are those of the driver below."""

from __future__ import annotations

from apm_agent.instruments.rows import Timed
from apm_agent.instruments.support import Support

PATCHES = (Timed("playhouse.pool:PooledDatabase.connect", kind="wait", name="connection pool"),)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "peewee, Tortoise ORM",
    "the driver below; patch of peewee's pool",
    "each statement once, as its driver's; waiting for peewee's pool apart",
    ("peewee", "tortoise-orm"),
)
