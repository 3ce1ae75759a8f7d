"""Asks a database for the plan of a statement: the only file that knows which engine is asked how."""

from __future__ import annotations

from collections.abc import Callable

from apm_agent.model.database import MYSQL, POSTGRESQL, SQLITE, Database
from apm_agent.plans import mysql, postgresql, sqlite
from apm_agent.plans.allowed import check
from apm_agent.plans.plan import Plan

ENGINES: dict[str, Callable[[Database, str], Plan]] = {
    SQLITE: sqlite.plan,
    POSTGRESQL: postgresql.plan,
    MYSQL: mysql.plan,
}


def explain(database: Database, statement: str) -> Plan:
    """The plan of a statement as the store keeps it.

    `RefusedError` for what is not one SELECT of known functions, or what the database does not plan; `DatabaseError`
    where it cannot be asked. No message holds anything secret of the URL.
    """
    check(statement)
    return ENGINES[database.engine](database, statement)
