"""Reads SQL of any dialect and writes it without literals, or refuses.

Dialects disagree about where a literal ends (is ``\\'`` the end of a string?). A text they would read
differently is refused, and so is one that ends inside a quote: what looks like code there might be data.
"""

from __future__ import annotations

import re

_MOST_IN, _MOST_OUT = 16_384, 4_000
_LONGEST_NAME = 128
CUT = "…"


class Unreadable(Exception):
    """The text cannot be read, or dialects would read it differently."""


def read(sql: str) -> str:
    """`sql` with ``?`` for each literal and parameter; past 16,384 characters, or 4,000 written, it is cut.

    Raises `Unreadable`.
    """
    return _Reader(sql).read()


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


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
_ENDS_ITEM = re.compile(r"\s*(?:[,;)]|\Z|(?i:ASC|DESC|NULLS|HAVING|ORDER|LIMIT|OFFSET|ROWS|RANGE)\b)")
#: An odd number of backslashes before a quote: it ends the string in standard SQL and does not in MySQL.
_AMBIGUOUS = re.compile(r"""(?<!\\)\\(?:\\\\)*(?=['"])""")
#: A sign after one of these belongs to the number behind it.
_BEFORE_SIGN = frozenset("=<>!+-*/%(,|&^~[") | words(
    "SELECT WHERE AND OR NOT THEN ELSE WHEN BETWEEN LIKE IN LIMIT OFFSET VALUES SET CASE ON DEFAULT RETURN"
)
_CONSTANTS = words("? (?) , NULL TRUE FALSE DEFAULT")

# In MySQL a double-quoted text is a string, elsewhere a name. It is kept where only a name can stand:
# beside a dot, after these words,
_BEFORE_NAME = words(
    "FROM JOIN INTO UPDATE TABLE INDEX AS EXISTS VIEW COLUMN CONSTRAINT REFERENCES TRUNCATE ADD DROP RENAME"
)
# in the list of columns behind a name after these, or directly behind those,
_BEFORE_TABLE_WITH_COLUMNS = words("INTO TABLE ON REFERENCES EXISTS")
_BEFORE_COLUMNS = words("CONFLICT KEY UNIQUE USING")
# and after each comma of `ORDER BY`, `FROM` and `UPDATE … SET`, until one of these.
_CLAUSES = words(
    "SELECT WHERE HAVING LIMIT OFFSET VALUES SET ON AND OR UNION RETURNING ORDER GROUP FROM JOIN FOR WINDOW"
)
_SORTS = words("ORDER GROUP PARTITION")


class _Group:
    """An open parenthesis: where it stands and what may stand in it."""

    __slots__ = ("at", "is_list", "listing", "names", "skip_to")

    def __init__(self, at: int, is_list: bool, names: bool, skip_to: int | None, listing: str) -> None:
        self.at = at
        self.is_list = is_list  # of values, and so folded
        self.names = names  # of columns
        self.skip_to = skip_to  # where to go back to when it closes: a second row of VALUES
        self.listing = listing  # the clause around it


class _Reader:
    """Reads a statement once, from left to right, writing what may stay."""

    def __init__(self, sql: str) -> None:
        self.is_cut = len(sql) > _MOST_IN
        self.sql = sql[:_MOST_IN]
        self.out: list[str] = []
        self.spaced: list[bool] = []
        self.groups: list[_Group] = []
        self.space = False
        self.verb = ""
        self.before = ""  # the last token, in capitals
        self.naming = ""  # the word after which a name may come now
        self.named = ""  # the word after which the last token is a name
        self.listing = ""  # the clause in which each comma is followed by a name
        self.rows_end = -1  # where the first row of VALUES ended

    def read(self) -> str:
        at, end = 0, len(self.sql)
        while at < end:
            match = _TOKEN.match(self.sql, at)
            if match is None:
                raise Unreadable
            kind = match.lastgroup or ""
            after = match.end()
            if kind in ("block", "dollar"):
                after = self._end_of(match[kind], match.end())
            if self.is_cut and (after == end or kind in ("oracle", "other")):
                break  # a token that was cut, or a quote that would have ended beyond
            if match.start(kind) > at:
                self.space = True
            self._take(kind, match[kind], after)
            at = after
        return self._text()

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

    def _take(self, kind: str, token: str, after: int) -> None:
        if kind == "word":
            self._word(token)
        elif kind in ("mark", "cast"):
            self._mark(token)
        elif kind in ("string", "double") and _runs_on(self.sql, after):
            raise Unreadable  # 'O'Brien': a value ended its own quotes
        elif kind == "double":
            self._double(token, after)
        elif kind in ("string", "number", "dollar", "parameter"):
            if kind == "string" and _AMBIGUOUS.search(token):
                raise Unreadable
            self._value()
        elif kind in ("block", "line"):
            # MySQL wants a space after its dashes, and only MySQL knows the hash.
            if kind == "line" and len(token) > 2 and not token[2].isspace() and _has_quote(token):
                raise Unreadable
            self.space = True
        elif kind == "escape":
            self._word(token[:6])
            self.space = token[6].isspace()
            self._value()
        elif kind == "tick":
            self._name(token) if _is_identifier(token[1:-1]) else self._value()
        elif kind == "oracle" or token in ("'", '"', "`", "\\"):
            raise Unreadable
        elif kind == "other":
            self._value()

    def _add(self, text: str, before: str) -> None:
        self.out.append(text)
        self.spaced.append(self.space)
        self.space = False
        self.before = before

    def _value(self) -> None:
        out = self.out
        while out and out[-1] in ("+", "-") and (len(out) == 1 or out[-2].upper() in _BEFORE_SIGN):
            out.pop()
            self.space = self.spaced.pop()
        self._add("?", "?")
        self._no_name()

    def _no_name(self) -> None:
        self.naming = self.named = ""
        if self.listing != "SET":
            self.listing = ""

    def _double(self, token: str, after: int) -> None:
        if _AMBIGUOUS.search(token):
            raise Unreadable
        beside_dot = self.before == "." or _DOT.match(self.sql, after) is not None
        if self.naming == "BY" and not _ENDS_ITEM.match(self.sql, after):
            self.naming = ""  # part of an expression
        if (beside_dot or self.naming) and _is_identifier(token[1:-1]):
            self._name(token)
        else:
            self._value()

    def _name(self, token: str) -> None:
        if self.before != ".":
            self.named, self.naming = self.naming, ""
        self._add(token, "NAME")

    def _word(self, token: str) -> None:
        word = token.upper()
        if not self.out:
            self.verb = word
        if self.before == "SAVEPOINT" or len(token) > _LONGEST_NAME:
            self._value()  # savepoints are numbered, and no name is that long
            return
        if self.before == ".":
            self._add(token, "NAME")
            return
        if word in _CLAUSES:
            self.listing = ""
        if word in _BEFORE_NAME or (word == "ON" and self.verb == "CREATE"):
            self.naming, self.named = word, ""
            if word == "FROM":
                self.listing = word
        elif (word == "BY" and self.before in _SORTS) or (
            word == "SET" and self.verb not in ("SET", "ALTER")
        ):
            self.naming, self.named, self.listing = word, "", word
        else:
            self.named, self.naming = self.naming, ""
        self._add(token, word)

    def _mark(self, token: str) -> None:
        if token == "(":
            self._open()
        elif token == ")":
            self._close()
        elif token == ",":
            group = self.groups[-1] if self.groups else None
            names = "," if group is not None and group.names else ""
            self._add(token, token)
            self.naming, self.named = self.listing or names, ""
        elif token == ".":
            self._add(token, token)
        else:
            self._add(token, token)
            self._no_name()

    def _open(self) -> None:
        inside = self.groups[-1] if self.groups else None
        at = len(self.out)
        is_list = self.before in ("IN", "VALUES") or (
            inside is not None and inside.is_list and self.before in ("(", ",")
        )
        is_next_row = self.before == "," and self.rows_end == at - 1
        columns = self.before in _BEFORE_COLUMNS or self.named in _BEFORE_TABLE_WITH_COLUMNS
        skip_to = self.rows_end if is_next_row else None
        self.groups.append(_Group(at, is_list or is_next_row, columns, skip_to, self.listing))
        self._add("(", "(")
        self.naming = "(" if columns else self.naming if self.naming in ("FROM", "JOIN") else ""
        self.named = self.listing = ""

    def _close(self) -> None:
        self._add(")", ")")
        self.naming = self.named = ""
        if not self.groups:
            return
        group = self.groups.pop()
        self.listing = group.listing
        is_row = group.at > 0 and self.out[group.at - 1].upper() == "VALUES"
        if group.skip_to is not None:
            del self.out[group.skip_to :], self.spaced[group.skip_to :]
            self.rows_end = group.skip_to
            return
        items = self.out[group.at + 1 : -1]
        if group.is_list and items and all(item.upper() in _CONSTANTS for item in items):
            del self.out[group.at + 1 :], self.spaced[group.at + 1 :]
            self.out[group.at] = "(?)"
        if is_row:
            self.rows_end = len(self.out)

    def _text(self) -> str:
        if self.is_cut:
            for group in self.groups:
                self._shorten(group)
        parts: list[str] = []
        length = 0
        for token, spaced in zip(self.out, self.spaced, strict=True):
            piece = f" {token}" if spaced and parts else token
            length += len(piece)
            if length > _MOST_OUT - 2:
                self.is_cut = True
                break
            parts.append(piece)
        if not self.is_cut:
            return "".join(parts).rstrip("; ")
        # A name that was kept for the dot behind it must not stand alone now.
        while parts and parts[-1].strip(" ").startswith('"'):
            parts.pop()
        return f"{''.join(parts).rstrip('; ')} {CUT}".lstrip(" ")

    def _shorten(self, group: _Group) -> None:
        """A list that goes on beyond the cut says no more than its first item."""
        if group.skip_to is not None:
            del self.out[group.skip_to :], self.spaced[group.skip_to :]
        elif group.is_list and all(item.upper() in _CONSTANTS for item in self.out[group.at + 1 :]):
            del self.out[group.at + 2 :], self.spaced[group.at + 2 :]


def _runs_on(sql: str, at: int) -> bool:
    return at < len(sql) and (sql[at].isalnum() or sql[at] == "_")


def _has_quote(text: str) -> bool:
    return "'" in text or '"' in text or "`" in text


def _is_identifier(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and _IDENTIFIER.fullmatch(text) is not None
