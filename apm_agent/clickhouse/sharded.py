"""The tables for several servers: replicas of each shard, and what is spread over the shards before them.

All rows of one local store lie on one shard, for it is there that a repeated row is dropped.
"""

from __future__ import annotations

import re

from apm_agent.clickhouse.tables import META, TABLES, ddl

#: As current as servers that replicate are taken to be.
CURRENT = (24, 0)
_MADE = re.compile(
    r"CREATE TABLE IF NOT EXISTS (\w+) (\(.*?\)) ENGINE = ReplacingMergeTree\(version\)(.*)", re.DOTALL
)


def statements(
    database: str, cluster: str, server: tuple[int, ...] = CURRENT, replicated: bool = True
) -> list[str]:
    """How they are made; not `replicated`: run on each node, which then has the only copy of its shard."""
    local = f"{database}_local"
    everywhere = f" ON CLUSTER {cluster}" if replicated else ""
    made = [f"CREATE DATABASE IF NOT EXISTS {each}{everywhere}" for each in (local, database)]
    for text in (META, *(ddl(table, server) for table in TABLES)):
        found = _MADE.fullmatch(text)
        assert found is not None, text
        name, columns, rest = found.groups()
        place = f"'/clickhouse/tables/{{shard}}/{local}/{name}', '{{replica}}', "
        engine = (
            f"ReplicatedReplacingMergeTree({place}version)" if replicated else "ReplacingMergeTree(version)"
        )
        made.append(
            f"CREATE TABLE IF NOT EXISTS {local}.{name}{everywhere} {columns} ENGINE = {engine}{rest}"
        )
        key = "key" if name == "meta" else "source"
        made.append(
            f"CREATE TABLE IF NOT EXISTS {database}.{name}{everywhere} AS {local}.{name}"
            f" ENGINE = Distributed({cluster}, {local}, {name}, cityHash64({key}))"
        )
    return made
