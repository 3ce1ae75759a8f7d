"""SQL without its literals: the text that queries are grouped by and the only one that is ever kept.

Fails closed: of what `sql_text` cannot read only the first word is kept, as in ``SELECT …``.
"""

from __future__ import annotations

import re
from functools import lru_cache

from apm_agent.model import sql_text

_MOST_CACHED = 4_000
_VERB = re.compile(r"\s*([A-Za-z]{2,12})\b")
_VERBS = sql_text.words(
    "ALTER ANALYZE ATTACH BEGIN CALL CLOSE COMMIT COPY CREATE DECLARE DELETE DESCRIBE DETACH DO DROP END EXEC"
    " EXECUTE EXPLAIN FETCH GRANT INSERT LOCK MERGE PRAGMA PREPARE REINDEX RELEASE REPLACE REVOKE ROLLBACK"
    " SAVEPOINT SELECT SET SHOW START TRUNCATE UNLOCK UPDATE USE VACUUM VALUES WITH"
)


def normalise(sql: str) -> str:
    """The statement with ``?`` for literals and parameters, lists of them as ``(?)``, without comments."""
    return _cached(sql) if len(sql) <= _MOST_CACHED else _normalised(sql)


def _normalised(sql: str) -> str:
    try:
        return sql_text.read(sql)
    except sql_text.Unreadable:
        verb = _VERB.match(sql)
        word = verb[1].upper() if verb else ""
        return f"{word if word in _VERBS else 'SQL'} {sql_text.CUT}"


_cached = lru_cache(maxsize=1024)(_normalised)


_NAME = r"""(?:["`\[]?[\w$]+["`\]]?\.)*["`\[]?([\w$]+)["`\]]?"""
_PLACE = re.compile(rf"[()]|\b(?i:FROM|JOIN)\s+{_NAME}")
_MAIN = re.compile(r"[()]|\b(?i:SELECT|INSERT|UPDATE|DELETE|MERGE)\b")
_AFTER_VERB = re.compile(
    rf"(?i)\w+\s+(?:(?:INTO|OR\s+\w+|IGNORE|FROM|TABLE|INDEX|VIEW|UNIQUE|IF|NOT|EXISTS|ONLY)\s+)*{_NAME}"
)
_ABOUT_A_TABLE = sql_text.words("INSERT UPDATE DELETE REPLACE MERGE CREATE ALTER DROP TRUNCATE PRAGMA")


@lru_cache(maxsize=1024)
def summary(statement: str) -> str:
    """A normalised statement in two words: ``SELECT customer``."""
    first = re.match(r"\W*(\w+)", statement)
    if first is None:
        return statement[:80]
    verb, rest = first[1].upper(), statement[first.start(1) :]
    if verb == "WITH":
        main = _outermost(_MAIN, rest)
        if main is None:
            return verb
        verb, rest = main[0].upper(), rest[main.start() :]
    if verb in _ABOUT_A_TABLE:
        table = _AFTER_VERB.match(rest)
        return f"{verb} {table[1]}" if table else verb
    place = _outermost(_PLACE, rest) if verb == "SELECT" else None
    return f"{verb} {place[1]}" if place is not None else verb


def _outermost(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first match outside of parentheses, else the first inside that names something."""
    depth, inside = 0, None
    for match in pattern.finditer(text):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth -= 1
        elif depth <= 0:
            return match
        else:
            inside = inside or match
    return inside
