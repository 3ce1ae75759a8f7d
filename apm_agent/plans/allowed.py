"""Which statements may be planned: one SELECT of known functions. Whatever is not surely that is refused.

A database that only explains runs nothing, and its connection may not write; this is the third lock on the door.
It reads statements as the store keeps them, so there are no literals and no comments in what it lets through.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from apm_agent.model.sql_text import CUT
from apm_agent.plans.plan import RefusedError
from apm_agent.plans.words import FUNCTIONS, GROUPING, NEVER

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<name>"[^"\x00]*"|`[^`\x00]*`)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<value>\?)
    | (?P<mark>::|:=|--|/\*|\*/|[!\#%&()*+,\-./:<=>@\[\]^|~])
    """,
    re.VERBOSE,
)
_READING = ("SELECT", "WITH")
_LONGEST = 4_100


class _Token(NamedTuple):
    kind: str
    text: str

    @property
    def word(self) -> str:
        # Not of other alphabets: a long s is an S in capitals, and another name to the database.
        return self.text.upper() if self.kind == "word" and self.text.isascii() else ""


def check(statement: str) -> None:
    """Nothing for a statement that may be planned; else `RefusedError` with the reason, a whole sentence."""
    if CUT in statement or len(statement) > _LONGEST:
        raise RefusedError("Only a part of this statement is kept, so it has no plan.")
    tokens = _tokens(statement)
    first = next((token for token in tokens if token.text != "("), None)
    if first is None or first.word not in _READING:
        said = (first.word if first else "") or "This"
        raise RefusedError(f"Only SELECT is ever explained, and this is {said[:20]}.")
    depth = 0
    for at, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth < 0:
            raise RefusedError("Its parentheses do not match.")
        _one(tokens, at)
    if depth:
        raise RefusedError("Its parentheses do not match.")
    if first.word == "WITH" and not any(token.word == "SELECT" for token in tokens):
        raise RefusedError("Only SELECT is ever explained, and there is none in this.")


def refusal(statement: str) -> str | None:
    """The reason why a statement may not be planned; None when it may."""
    try:
        check(statement)
    except RefusedError as refused:
        return str(refused)
    return None


def fill(statement: str, value: str, number: bool = False) -> tuple[str, int]:
    """The statement with `value` for each ``?`` that is not part of a name, and how many there were.

    With `number` the count so far stands behind each: ``$1``, ``$2``.
    """
    count, parts = 0, []
    for token in _tokens(statement, spaces=True):
        if token.kind == "value":
            count += 1
            parts.append(f"{value}{count}" if number else value)
        else:
            parts.append(token.text)
    return "".join(parts), count


def _tokens(statement: str, spaces: bool = False) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(statement):
        match = _TOKEN.match(statement, at)
        if match is None:
            sign = statement[at]
            if sign == ";":
                raise RefusedError("It is more than one statement.")
            raise RefusedError(f"It holds {sign!r}, which a kept SELECT never does.")
        at = match.end()
        kind = match.lastgroup or ""
        if kind != "space" or spaces:
            found.append(_Token(kind, match[0]))
    return found


def _one(tokens: list[_Token], at: int) -> None:
    token = tokens[at]
    before = tokens[at - 1] if at else _Token("", "")
    after = tokens[at + 1] if at + 1 < len(tokens) else _Token("", "")
    if token.text in ("--", "/*", "*/", ":="):
        raise RefusedError(f"It holds {token.text!r}, which a kept SELECT never does.")
    if token.text == "@" and not _is_operator(tokens, at):
        raise RefusedError("It reads or sets a variable of a session.")
    calls = after.text == "("
    if calls and token.kind == "value":
        raise RefusedError("It calls a function whose name is not kept.")
    if token.kind not in ("word", "name"):
        return
    if before.text == "." and not calls:
        return  # a column, whatever its name
    if token.word in NEVER and not (calls and token.word in FUNCTIONS):
        raise RefusedError(f"It holds {token.word}, so it may do more than read.")
    if token.word == "FOR" and after.word in ("UPDATE", "SHARE", "NO", "KEY"):
        raise RefusedError("It locks the rows that it reads.")
    if token.word == "SHARE" and before.word == "IN":
        raise RefusedError("It locks the rows that it reads.")
    if calls and not _harmless(tokens, at, before):
        name = token.text.strip('"`')[:60]
        raise RefusedError(f"It calls {name}(), which is not known to be free of side effects.")


def _is_operator(tokens: list[_Token], at: int) -> bool:
    """Whether an ``@`` is of PostgreSQL's ``@>``, ``<@`` or ``@@`` between two sides."""
    around = [each.text for each in tokens[max(0, at - 1) : at + 2]]
    if "@>" in "".join(around) or "<@" in "".join(around):
        return True
    first = at - 1 if at and tokens[at - 1].text == "@" else at
    left = tokens[first - 1] if first else _Token("", "")
    double = tokens[first + 1 : first + 2] and tokens[first + 1].text == "@"
    return bool(double) and (
        left.text in ("?", ")") or left.kind == "name" or left.word not in (GROUPING | {""})
    )


def _harmless(tokens: list[_Token], at: int, before: _Token) -> bool:
    """Whether a name before a parenthesis calls nothing, or a function that only reads."""
    token = tokens[at]
    if before.text == ".":
        return _in_catalog(tokens, at) and token.word in FUNCTIONS
    if token.word in FUNCTIONS or token.word in GROUPING:
        return True
    if before.word == "AS":  # names of columns: AS t (a, b)
        return True
    end = _closing(tokens, at + 1)
    follows = tokens[end + 1].word if end + 1 < len(tokens) else ""
    # A common table expression with names of columns: WITH t (a, b) AS (…)
    return follows == "AS" and (before.word in ("WITH", "RECURSIVE") or before.text == ",") and (
        tokens[end + 2 : end + 3] != [] and tokens[end + 2].text in ("(", "NOT", "MATERIALIZED")
    )  # fmt: skip


def _in_catalog(tokens: list[_Token], at: int) -> bool:
    """Whether ``pg_catalog.`` stands before: any other schema may hold a function of the same name."""
    return at >= 2 and tokens[at - 2].word == "PG_CATALOG"


def _closing(tokens: list[_Token], at: int) -> int:
    depth = 0
    for place in range(at, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[place].text, 0)
        if depth == 0:
            return place
    return len(tokens)
