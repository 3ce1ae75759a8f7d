"""EXPLAIN of MySQL and MariaDB, in a read-only transaction that is rolled back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from apm_agent.model.database import Database
from apm_agent.plans.allowed import fill
from apm_agent.plans.plan import (
    CONNECT,
    MOST_STEPS,
    PATIENCE,
    DatabaseError,
    Plan,
    RefusedError,
    Step,
    bounded,
)

#: What stands for each value. A text is compared with any column by that column's own type, so an index still serves.
_VALUE = "'1'"
_NOTE = (
    "Planned with the value 1 for each that is not kept: for other values the database may choose otherwise. "
    "'Impossible WHERE' or 'no matching row' says that no row has that value."
)
#: A count of rows must be a number: there a text is no SQL.
_AFTER_LIMIT = re.compile(r"\b((?:LIMIT|OFFSET)\s+)'1'(\s*,\s*)?(?:'1')?", re.IGNORECASE)
_DRIVERS = ("pymysql", "MySQLdb", "mariadb")


def plan(database: Database, statement: str) -> Plan:
    """The plan of a statement that `allowed.check` let through."""
    driver, connection = _connect(database)
    sql = _AFTER_LIMIT.sub(
        lambda found: f"{found[1]}1" + (f"{found[2]}1" if found[2] else ""), fill(statement, _VALUE)[0]
    )
    with closing(connection):
        cursor = connection.cursor()
        try:
            cursor.execute("SELECT VERSION()")
            version = str(cursor.fetchone()[0])
            maria = "maria" in version.lower()
            limit = f"max_statement_time = {PATIENCE}" if maria else f"max_execution_time = {PATIENCE * 1000}"
            for setting in (limit, "lock_wait_timeout = 1", "innodb_lock_wait_timeout = 1"):
                cursor.execute(f"SET SESSION {setting}")
            cursor.execute("START TRANSACTION READ ONLY")
            cursor.execute(f"EXPLAIN {sql}")
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchmany(MOST_STEPS)]
            cursor.execute("ROLLBACK")
        except driver.Error as error:
            raise RefusedError(f"{database.name} does not plan it: {database.clean(_said(error))}") from None
    return Plan(
        bounded(_steps(rows)), f"{'MariaDB' if maria else 'MySQL'} {version.partition('-')[0]}", _NOTE
    )


def _steps(rows: list[dict[str, Any]]) -> Iterator[Step]:
    outer = rows[0].get("id") if rows else None
    for row in rows:
        table, access, key = row.get("table"), row.get("type"), row.get("key")
        text = f"{table or 'no table'}: {_ACCESS.get(access or '', access or 'nothing to read')}"
        if key:
            text += f" {key}"
        details = (
            [f"{row['select_type']}"] if row.get("select_type") not in (None, "SIMPLE", "PRIMARY") else []
        )
        if row.get("ref") and row["ref"] != "const":
            details.append(f"by {row['ref']}")
        details += [part.strip() for part in (row.get("Extra") or "").split(";") if part.strip()]
        depth = 0 if row.get("id") in (None, outer) else 1
        yield Step(depth, text, tuple(details), _number(row.get("rows")), None, access == "ALL")


#: The words of `type`: https://dev.mysql.com/doc/refman/8.4/en/explain-output.html#explain-join-types
_ACCESS = {
    "ALL": "reads the whole table (ALL)", "index": "reads the whole index", "range": "a range of",
    "ref": "looks up by",
    "eq_ref": "one row by", "const": "one row by", "system": "the only row", "ref_or_null": "looks up, or NULL, by",
    "index_merge": "merges", "unique_subquery": "one row by", "index_subquery": "looks up by",
    "fulltext": "full text by",
}  # fmt: skip


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def _connect(database: Database) -> tuple[Any, Any]:
    url = database.url
    for name in _DRIVERS:
        try:
            driver = __import__(name)
        except ImportError:
            continue
        more = {"read_timeout": PATIENCE + 2, "write_timeout": PATIENCE + 2} if name != "mariadb" else {}
        try:
            return driver, driver.connect(
                host=url.hostname, port=url.port or 3306, user=database.user, password=database.password,
                database=database.path, connect_timeout=CONNECT, **more,
            )  # fmt: skip
        except driver.Error as error:
            raise DatabaseError(
                f"cannot connect to {database.name}: {database.clean(_said(error))}"
            ) from None
    raise DatabaseError(
        "to ask MySQL or MariaDB for a plan, the dashboard's Python needs a driver: pip install pymysql"
    )


def _said(error: Exception) -> str:
    return str(error.args[-1]) if error.args else type(error).__name__
