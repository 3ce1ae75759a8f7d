"""Makes the tables in ClickHouse, or says that a newer apm-agent made them."""

from __future__ import annotations

from apm_agent.clickhouse.engine import Engine
from apm_agent.clickhouse.tables import META, TABLES, VERSION, ddl
from apm_agent.errors import StoreError


def prepare(engine: Engine) -> None:
    """Make what is not there; nothing that is there is changed."""
    engine.run(META)
    found = engine.rows("SELECT max(version) FROM meta WHERE key = 'schema'")
    there = int(found[0][0] or 0) if found else 0
    if there > VERSION:
        raise StoreError(
            f"the tables in ClickHouse have version {there}, but this apm-agent knows up to {VERSION}: upgrade it here"
        )
    for table in TABLES:
        engine.run(ddl(table, engine.version))
    if there < VERSION:
        engine.insert(
            "meta", ("key", "value", "version"), [("schema", str(VERSION), VERSION)], f"schema-{VERSION}"
        )
