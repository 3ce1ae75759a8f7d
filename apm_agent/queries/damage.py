"""Whether a file that SQLite finds whole holds what no writer of ours puts there: bits of it were turned.

A column of a row says itself whether it is a number, a text or nothing. Where one bit of that was turned, SQLite reads
on and our arithmetic meets a text. So a question that fails looks here before it is called a bug: for the value that
cannot be, newest rows first, and only then, for it reads all there is. What was found is remembered for a while.
"""

from __future__ import annotations

import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from apm_agent.errors import ApmError, StoreError
from apm_agent.model.record import KEPT
from apm_agent.model.transaction import KINDS
from apm_agent.queries.detail import unpack
from apm_agent.queries.memory import Memory
from apm_agent.queries.shape import unsound
from apm_agent.queries.units import hex_id

if TYPE_CHECKING:
    from apm_agent.queries.connection import Connection

#: What arithmetic and unpacking end in that meets a value of another kind than it reckons with.
MEETING_IT = (
    TypeError, ValueError, LookupError, ArithmeticError, AttributeError, AssertionError, RecursionError, struct.error,
)  # fmt: skip
_KINDS = {"INTEGER": "'integer'", "TEXT": "'text'", "BLOB": "'blob'", "REAL": "'real', 'integer'"}
#: Differences: of memory before and after, so that they may be below nothing.
_SIGNED = {"rss_bytes", "cost_bytes"}
#: Unix seconds of the year 2100.
_LAST = 4_102_444_800
_ROLLUPS = ("rollups", "statement_rollups", "insight_rollups", "profiles")
#: What else must hold of a column, where it is not NULL.
_ALSO = {
    **{(table, "t"): f"BETWEEN 0 AND {_LAST}" for table in _ROLLUPS},
    **{(table, "endpoint_id"): "IN (SELECT id FROM endpoints)" for table in ("transactions", *_ROLLUPS)},
    ("transactions", "started_at"): f"BETWEEN 0 AND {_LAST}000000000",
    ("processes", "started_at"): f"BETWEEN 0 AND {_LAST}000000000",
    ("processes", "last_seen"): f"BETWEEN 0 AND {_LAST}000000000",
    ("releases", "first_seen"): f"BETWEEN 0 AND {_LAST}000000000",
    ("plans", "at"): f"BETWEEN 0 AND {_LAST}000000000",
    ("endpoints", "kind"): f"IN ({', '.join(map(repr, KINDS))})",
    ("transactions", "kept"): f"IN ({', '.join(map(repr, KEPT))})",
    ("transactions", "failed"): "IN (0, 1)",
    ("transactions", "share"): "BETWEEN 0 AND 1",
    ("profiles", "state"): "BETWEEN 0 AND 2",
}  # fmt: skip
#: How long a verdict is remembered: seconds, and so many times what it took to find.
_AGAIN, _TIMES = 30.0, 100
#: Details looked into, the newest: what reads more than one of them reads no more.
_DETAILS = 2_000
_verdicts = Memory(20)


class TooSlowError(StoreError):
    """A question took longer than `PATIENCE`; a narrower window or filter is the cure."""


def in_words(path: str, what: str) -> str:
    """What is wrong, and the cure: the agent itself only puts a file aside that SQLite refuses."""
    return (
        f"the store {path} is damaged ({what}): move it away together with its -wal and -shm files, the agent begins "
        "a new one by itself; `sqlite3 FILE .recover` shows what can still be read"
    )


def blame(connection: Connection, error: BaseException | None = None) -> None:
    """Raises `StoreError` where the values in the store explain why a question failed; else says nothing."""
    if isinstance(error, ApmError) or not (error is None or isinstance(error, MEETING_IT)):
        return
    found = wrong(connection)
    if found:
        raise StoreError(in_words(connection.path, found)) from error


def wrong(connection: Connection) -> str:
    """The first value that cannot be, in words; empty where none is, or none was found in the time there is."""
    # What mirrors a server was made a moment ago, by us; and what one machine wrote is no table but a view.
    if connection.empty or connection.mirror is not None or connection.host:
        return ""
    key = (connection.path, connection.identity)
    known: str | None = _verdicts.get(key)
    if known is None:
        began = time.monotonic()
        known = _look(connection)
        _verdicts.put(key, known, _AGAIN + _TIMES * (time.monotonic() - began))
    return known


def _look(connection: Connection) -> str:
    connection.renew()
    with suppress(TooSlowError):
        for table, sql in connection.rows("SELECT name, sql FROM sqlite_master WHERE type = 'table'"):
            if not table.startswith(("sqlite_", "_")):
                found = _in_table(connection, table, ordered="WITHOUT ROWID" not in sql.upper())
                if found:
                    return found
        return _in_details(connection)
    return ""


def _in_details(connection: Connection) -> str:
    newest = connection.rows(
        "SELECT transaction_id, data FROM traces ORDER BY transaction_id DESC LIMIT ?", (_DETAILS,)
    )
    for number, data in newest:
        with suppress(StoreError):  # one that cannot be unpacked is refused by whoever reads it
            part = unsound(unpack(data))
            if part:
                return f"the {part} of the detail of {hex_id(number)}, which no writer writes so"
    return ""


def _in_table(connection: Connection, table: str, ordered: bool) -> str:
    rules = {}
    for _, column, declared, required, _, key in connection.rows(f'PRAGMA table_info("{table}")'):
        kinds = _KINDS.get(declared)
        if kinds is None:
            continue
        allowed = kinds if required or key else f"{kinds}, 'null'"
        bad = [f'typeof("{column}") NOT IN ({allowed})']
        also = _ALSO.get((table, column))
        if also is not None:
            bad.append(f'"{column}" NOT {also}')
        elif declared == "INTEGER" and column not in _SIGNED:
            bad.append(f'"{column}" < 0')
        rules[column] = " OR ".join(bad)
    if not rules:
        return ""
    cases = " ".join(f"WHEN {rule} THEN '{column}'" for column, rule in rules.items())
    kinds = " ".join(f"WHEN '{column}' THEN typeof(\"{column}\")" for column in rules)
    newest = " ORDER BY rowid DESC" if ordered else ""
    row = connection.row(
        f'SELECT bad, CASE bad {kinds} END FROM (SELECT *, CASE {cases} END AS bad FROM "{table}"{newest})'
        " WHERE bad IS NOT NULL LIMIT 1"
    )
    return f"a value of {table}.{row[0]} that cannot be, of type {row[1]}" if row else ""
