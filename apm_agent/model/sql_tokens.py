"""Cuts SQL of any dialect into tokens, and knows where dialects would cut it differently.

Dialects disagree about where a literal ends (is ``\\'`` the end of a string?). A text they would read
differently is refused, and so is one that ends inside a quote: what looks like code there might be data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_MOST_IN = 16_384
LONGEST_NAME = 128


class Unreadable(Exception):
    """The text cannot be read, or dialects would read it differently."""


class Token(NamedTuple):
    """A piece of the statement."""

    #: A name of a group of `_TOKEN`.
    kind: str
    text: str
    #: Where the next one begins.
    after: int
    #: Whether space is before it.
    spaced: bool


_TOKEN = re.compile(
    r"""
    \s*(?:
      (?P<line>(?:--|\#(?!>|-(?!-)))[^\n]*)
    | (?P<block>/\*)
    | (?P<escape>(?i:\bESCAPE)\s*'\\'(?!'))  # one character, in every dialect that writes it so
    | (?P<string>(?:[eEbBxXnN]|[uU]&|_\w+)?'[^']*(?:''[^']*)*')
    | (?P<oracle>[nN]?[qQ]')                            # q'[it's]': its end is Oracle's alone to know
    | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?P<double>"[^"]*(?:""[^"]*)*")
    | (?P<tick>`[^`]*(?:``[^`]*)*`)
    | (?P<number>\.?\d(?:[\w.]*[eE][+-]\d)?[\w.]*)
    | (?P<cast>::)
    | (?P<parameter>\?\d*|%s\b|%\(\w+\)s\b|\$\d+|@(?!@)\w+|:[^\W\d]\w*)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<mark>\#>>?|\#-|[!%&()*+,\-./:;<=>@\[\]^{|}~…])
    | (?P<other>.)
    | (?P<end>\Z)
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_IDENTIFIER = re.compile(r"[^\W\d][\w$]*")
_DOT = re.compile(r"\s*\.")
#: An odd number of backslashes before a quote: it ends the string in standard SQL and does not in MySQL.
_AMBIGUOUS = re.compile(r"""(?<!\\)\\(?:\\\\)*(?=['"])""")


class Tokens:
    """The tokens of a statement; past 16,384 characters it is cut."""

    def __init__(self, sql: str) -> None:
        self.is_cut = len(sql) > _MOST_IN
        self.sql = sql[:_MOST_IN]

    def __iter__(self) -> Iterator[Token]:
        sql, at, end = self.sql, 0, len(self.sql)
        while at < end:
            match = _TOKEN.match(sql, at)
            if match is None:
                raise Unreadable
            kind = match.lastgroup or ""
            text, after = match[kind], match.end()
            if kind in ("block", "dollar"):
                after = self._end_of(text, after)
            if self.is_cut and (after == end or kind in ("oracle", "other")):
                return  # a token that was cut, or a quote that would have ended beyond
            self._refuse(kind, text, after)
            yield Token(kind, text, after, match.start(kind) > at)
            at = after

    def _end_of(self, opening: str, start: int) -> int:
        closing = "*/" if opening == "/*" else opening
        at = self.sql.find(closing, start)
        if at < 0:
            if self.is_cut:
                return len(self.sql)
            raise Unreadable
        # PostgreSQL nests comments, others do not.
        if opening == "/*" and opening in self.sql[start:at]:
            raise Unreadable
        return at + len(closing)

    def _refuse(self, kind: str, text: str, after: int) -> None:
        """Raise `Unreadable` for what not all dialects would end here."""
        if kind in ("string", "double"):
            # 'O'Brien': a value ended its own quotes
            if _runs_on(self.sql, after) or _AMBIGUOUS.search(text):
                raise Unreadable
        elif kind == "line":
            # MySQL wants a space after its dashes, and only MySQL knows the hash.
            if len(text) > 2 and not text[2].isspace() and _has_quote(text):
                raise Unreadable
        elif kind == "oracle" or (kind == "other" and text in ("'", '"', "`", "\\")):
            raise Unreadable

    def dot_at(self, at: int) -> bool:
        """Whether the next token there is a dot."""
        return _DOT.match(self.sql, at) is not None


def is_identifier(text: str) -> bool:
    """Whether this can be a name, and not a text that somebody wrote."""
    return len(text) <= LONGEST_NAME and _IDENTIFIER.fullmatch(text) is not None


def _runs_on(sql: str, at: int) -> bool:
    return at < len(sql) and (sql[at].isalnum() or sql[at] == "_")


def _has_quote(text: str) -> bool:
    return "'" in text or '"' in text or "`" in text
