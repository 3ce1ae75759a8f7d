"""EXPLAIN of PostgreSQL without values: a generic plan, in a read-only transaction that is rolled back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from apm_agent.model.database import Database
from apm_agent.plans.allowed import fill
from apm_agent.plans.plan import CONNECT, PATIENCE, DatabaseError, Plan, RefusedError, Step, bounded

#: `GENERIC_PLAN` is of 16; before it a prepared statement can be told to be planned without values since 12.
_GENERIC, _FORCED = 160_000, 120_000
_NOTE = (
    "Planned without values, as for a prepared statement: with the values of one call the database may choose "
    "otherwise. Rows and cost are its guesses."
)
_CONDITIONS = (
    "Index Cond", "Recheck Cond", "Filter", "Hash Cond", "Merge Cond", "Join Filter", "TID Cond", "Sort Key",
    "Group Key",
)  # fmt: skip


def plan(database: Database, statement: str) -> Plan:
    """The plan of a statement that `allowed.check` let through."""
    with closing(_connect(database)) as connection:
        cursor = connection.cursor()
        try:
            version = int(_one(cursor, "SHOW server_version_num"))
            server = f"PostgreSQL {_one(cursor, 'SHOW server_version').split()[0]}"
            if version < _FORCED:
                raise RefusedError(
                    f"{server} cannot plan a statement without its values, and those are never kept: that takes "
                    "PostgreSQL 12 or later"
                )
            cursor.execute("BEGIN READ ONLY")
            for name, value in (("statement_timeout", PATIENCE * 1000), ("lock_timeout", 1000)):
                cursor.execute(f"SET LOCAL {name} = {value}")
            document = _explained(cursor, statement, version)
        except _driver().Error as error:
            raise RefusedError(f"{database.name} does not plan it: {database.clean(_said(error))}") from None
        finally:
            _roll_back(connection)
    return Plan(bounded(_walk(document[0]["Plan"], 0)), server, _NOTE)


def _explained(cursor: Any, statement: str, version: int) -> Any:
    sql, count = fill(statement, "$", number=True)
    if version >= _GENERIC:
        cursor.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {sql}")
    else:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(f"PREPARE apm_agent_plan AS {sql}")
        nulls = f"({', '.join(['NULL'] * count)})" if count else ""
        cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE apm_agent_plan{nulls}")
    (answer,) = cursor.fetchone()
    return json.loads(answer) if isinstance(answer, str) else answer


def _walk(node: dict[str, Any], depth: int) -> Iterator[Step]:
    kind, table, index = node["Node Type"], node.get("Relation Name"), node.get("Index Name")
    text = kind if node.get("Join Type") in (None, "Inner") else f"{kind} ({node['Join Type']})"
    if index:
        text += f" using {index}"
    if table:
        alias = node.get("Alias")
        text += f" on {table}" + (f" {alias}" if alias and alias != table else "")
    elif node.get("CTE Name") or node.get("Function Name"):
        text += f" on {node.get('CTE Name') or node.get('Function Name')}"
    details = tuple(f"{name}: {_text(node[name])}" for name in _CONDITIONS if node.get(name))
    yield Step(depth, text, details, node.get("Plan Rows"), node.get("Total Cost"), kind == "Seq Scan")
    for inner in node.get("Plans", ()):
        yield from _walk(inner, depth + 1)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _one(cursor: Any, sql: str) -> str:
    cursor.execute(sql)
    return str(cursor.fetchone()[0])


def _driver() -> Any:
    for name in ("psycopg", "psycopg2"):
        try:
            return __import__(name)
        except ImportError:
            continue
    raise DatabaseError(
        "to ask PostgreSQL for a plan, the dashboard's Python needs psycopg: pip install 'psycopg[binary]'"
    )


def _connect(database: Database) -> Any:
    driver = _driver()
    # As one address, so that libpq reads what else it says, like ?sslmode=require.
    address = database.url._replace(scheme="postgresql").geturl()
    try:
        connection = driver.connect(address, connect_timeout=CONNECT, application_name="apm-agent explain")
    except driver.Error as error:
        raise DatabaseError(f"cannot connect to {database.name}: {database.clean(_said(error))}") from None
    connection.autocommit = True  # the transaction is begun by hand, because it reads only
    return connection


def _roll_back(connection: Any) -> None:
    """Ended whatever happened; a connection that is gone has ended it by itself."""
    try:
        connection.cursor().execute("ROLLBACK")
    except _driver().Error:
        return


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0]
