"""Reads SQL of any dialect and writes it without literals, or refuses."""

from __future__ import annotations

from apm_agent.model.sql_tokens import LONGEST_NAME, Token, Tokens, Unreadable, is_identifier

__all__ = ["CUT", "Unreadable", "read", "words"]

_MOST_OUT = 4_000
CUT = "…"


def read(sql: str) -> str:
    """`sql` with ``?`` for each literal and parameter; past 16,384 characters, or 4,000 written, it is cut.

    Raises `Unreadable`.
    """
    return _Reader(sql).read()


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: A sign after one of these belongs to the number behind it.
_BEFORE_SIGN = frozenset("=<>!+-*/%(,|&^~[") | words(
    "SELECT WHERE AND OR NOT THEN ELSE WHEN BETWEEN LIKE IN LIMIT OFFSET VALUES SET CASE ON DEFAULT RETURN"
)
_CONSTANTS = words("? (?) , NULL TRUE FALSE DEFAULT")

# In MySQL a double-quoted text is a string, elsewhere a name. It is kept where only a name can stand:
# beside a dot, after these words,
_BEFORE_NAME = words(
    "JOIN INTO UPDATE TABLE INDEX AS EXISTS VIEW COLUMN CONSTRAINT REFERENCES TRUNCATE ADD DROP RENAME"
)
# in the list of columns behind a name after these, or directly behind those,
_BEFORE_TABLE_WITH_COLUMNS = words("INTO TABLE ON REFERENCES EXISTS")
_BEFORE_COLUMNS = words("CONFLICT KEY UNIQUE USING")
# and after each comma of `FROM` and `UPDATE … SET`, until one of these. Not in `ORDER BY`, where it may be either.
_CLAUSES = words(
    "SELECT WHERE HAVING LIMIT OFFSET VALUES SET ON AND OR UNION RETURNING ORDER GROUP FROM JOIN FOR WINDOW"
)
# In parentheses `FROM` begins a clause behind one of these only: ``TRIM(BOTH FROM "a")`` names nothing.
_WITH_FROM = words("SELECT DELETE UPDATE")


class _Group:
    """An open parenthesis: where it stands and what may stand in it."""

    __slots__ = ("at", "has_from", "is_list", "listing", "names", "skip_to")

    def __init__(self, at: int, is_list: bool, names: bool, skip_to: int | None, listing: str) -> None:
        self.at = at
        self.is_list = is_list  # of values, and so folded
        self.names = names  # of columns
        self.skip_to = skip_to  # where to go back to when it closes: a second row of VALUES
        self.listing = listing  # the clause around it
        self.has_from = False  # a statement is inside


class _Reader:
    """Reads a statement once, from left to right, writing what may stay."""

    def __init__(self, sql: str) -> None:
        self.tokens = Tokens(sql)
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
        for token in self.tokens:
            if token.spaced:
                self.space = True
            self._take(token)
        return self._text()

    def _take(self, token: Token) -> None:
        kind, text = token.kind, token.text
        if kind == "word":
            self._word(text)
        elif kind in ("mark", "cast"):
            self._mark(text)
        elif kind == "double":
            self._double(text, token.after)
        elif kind in ("block", "line"):
            self.space = True
        elif kind == "escape":
            self._word(text[:6])
            self.space = text[6].isspace()
            self._value()
        elif kind == "tick" and is_identifier(text[1:-1]):
            self._name(text)
        elif kind != "end":
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

    def _double(self, text: str, after: int) -> None:
        beside_dot = self.before == "." or self.tokens.dot_at(after)
        if (beside_dot or self.naming) and is_identifier(text[1:-1]):
            self._name(text)
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
        if self.before == "SAVEPOINT" or len(token) > LONGEST_NAME:
            self._value()  # savepoints are numbered, and no name is that long
            return
        if self.before == ".":
            self._add(token, "NAME")
            return
        if word in _CLAUSES:
            self.listing = ""
        if word in _WITH_FROM and self.groups:
            self.groups[-1].has_from = True
        if word == "FROM":
            self._from()
        elif word in _BEFORE_NAME or (word == "ON" and self.verb == "CREATE"):
            self.naming, self.named = word, ""
        elif word == "SET" and self.verb not in ("SET", "ALTER"):
            self.naming, self.named, self.listing = word, "", word
        else:
            self.named, self.naming = self.naming, ""
        self._add(token, word)

    def _from(self) -> None:
        is_clause = not self.groups or self.groups[-1].has_from
        if not is_clause or self.before == "DISTINCT":  # IS DISTINCT FROM "a"
            self._no_name()
        else:
            self.naming, self.named, self.listing = "FROM", "", "FROM"

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
        is_cut = self.tokens.is_cut
        if is_cut:
            for group in self.groups:
                self._shorten(group)
        parts: list[str] = []
        length = 0
        for token, spaced in zip(self.out, self.spaced, strict=True):
            piece = f" {token}" if spaced and parts else token
            length += len(piece)
            if length > _MOST_OUT - 2:
                is_cut = True
                break
            parts.append(piece)
        if not is_cut:
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
