"""SQL made by a grammar, with random literals planted as each dialect quotes them: none is ever kept."""

from __future__ import annotations

import re

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from apm_agent.model.statement import normalise, summary

#: What a literal holds: a word nobody else writes, among whatever a person's name or a comment may hold.
WORD = st.text("bcdfghjkz", min_size=7, max_size=12)
NOISE = st.text(st.sampled_from(" aé'\"`\\$;-/*#%?:@()[]{}\n\t\0…0"), max_size=6)
LITERAL = st.tuples(NOISE, WORD, NOISE)


def standard(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def mysql(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def mysql_double(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def escaped(text: str) -> str:
    return "E" + mysql(text)


def national(text: str) -> str:
    return "N" + standard(text)


def unicode(text: str) -> str:
    return "U&" + standard(text.replace("\\", "\\\\"))


def dollar(text: str) -> str:
    return f"$${text}$$" if "$" not in text else f"$q_1${text}$q_1$"


def oracle(text: str) -> str:
    return f"q'[{text}]'"


def introduced(text: str) -> str:
    return "_utf8mb4" + mysql(text)


def commented(text: str) -> str:
    return "1 /* " + text.replace("*/", "").replace("/*", "").rstrip("*/") + " */"


def dashed(text: str) -> str:
    return "1 -- " + text.replace("\n", " ") + "\n"


#: SQL's standard, PostgreSQL, MySQL, Oracle and SQL Server, and comments, which hold anything.
QUOTINGS = (
    standard, mysql, mysql_double, escaped, national, unicode, dollar, oracle, introduced, commented, dashed
)  # fmt: skip

VALUE = "\x01"  # stands for a literal until it is known
#: The same where double quotes hold a name in every dialect but MySQL, and there a constant that sorts nothing: a name
#: is what is kept there.
SORTED = "\x02"
NAME = st.sampled_from(["a", "shop_order", '"Order"', "`order`", "t.a", '"t"."a"', "x$1", "été", "[a]"])
VALUES = st.sampled_from([VALUE, "?", "%s", ":a", "$1", "1", "-1.5e3", "NULL", "TRUE", "x'00'", "@a", "a"])


def expressions(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inside, st.sampled_from(["=", "<>", "||", "+", "-", "->>", "LIKE", "::text ="]), inside)
        .map(" ".join),
        st.lists(inside, min_size=1, max_size=4).map(lambda parts: f"({','.join(parts)})"),
        st.tuples(NAME, st.lists(inside, min_size=1, max_size=4)).map(lambda of: f"{of[0]} IN ({', '.join(of[1])})"),
        st.lists(inside, max_size=3).map(lambda parts: f"coalesce({', '.join(parts)})"),
        st.tuples(inside, inside).map(lambda of: f"CASE WHEN {of[0]} THEN {of[1]} END"),
        inside.map(lambda of: f"CAST({of} AS text)"),
        inside.map(lambda of: f"(SELECT a FROM t WHERE b = {of})"),
    )  # fmt: skip


EXPRESSION = st.recursive(VALUES, expressions, max_leaves=6)
ORDER = st.lists(EXPRESSION, min_size=1, max_size=3).map(lambda of: ", ".join(of).replace(VALUE, SORTED))
LIST = st.lists(EXPRESSION, min_size=1, max_size=3).map(", ".join)
SQL = st.one_of(
    st.tuples(LIST, NAME, EXPRESSION, ORDER, EXPRESSION)
    .map(lambda of: "SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT {}".format(*of)),
    st.tuples(NAME, NAME, st.lists(LIST, min_size=1, max_size=3))
    .map(lambda of: f"INSERT INTO {of[0]} ({of[1]}) VALUES {', '.join(f'({row})' for row in of[2])}"),
    st.tuples(NAME, NAME, EXPRESSION, EXPRESSION).map(lambda of: "UPDATE {} SET {} = {} WHERE {}".format(*of)),
    st.tuples(NAME, EXPRESSION).map(lambda of: "DELETE FROM {} WHERE {}".format(*of)),
    st.tuples(LIST, EXPRESSION).map(lambda of: "WITH x AS (SELECT {}) SELECT a FROM x HAVING {}".format(*of)),
    LIST.map(lambda of: f"CALL p({of})"),
    LIST.map(lambda of: f"SET x = {of}"),
    st.tuples(NAME, EXPRESSION).map(lambda of: "CREATE TABLE {} (a text DEFAULT {})".format(*of)),
    st.tuples(NAME, EXPRESSION).map(lambda of: "COMMENT ON TABLE {} IS {}".format(*of)),
)  # fmt: skip


@st.composite
def planted(draw: st.DrawFn) -> tuple[str, list[str], bool]:
    """A statement, the words in its literals, and whether every literal is one that all dialects read alike."""
    text, words, plain = draw(SQL), [], True
    while place := next((mark for mark in (VALUE, SORTED) if mark in text), ""):
        before, word, after = draw(LITERAL)
        quote = draw(st.sampled_from([each for each in QUOTINGS if (place, each) != (SORTED, mysql_double)]))
        words.append(word)
        plain = plain and quote is standard and not set(before + after) & set("\\'")
        text = text.replace(place, quote(before + word + after), 1)
    return text, words, plain


@settings(max_examples=120, deadline=None)
@given(planted())
def test_r32_no_planted_literal_is_kept(made: tuple[str, list[str], bool]) -> None:
    sql, words, _ = made
    kept = normalise(sql)
    for word in words:
        assert word not in kept.lower(), (sql, kept)
        assert word not in summary(kept).lower()


@settings(max_examples=100, deadline=None)
@given(planted(), planted(), st.integers(0, 400))
def test_r32_nor_where_statements_are_cut_or_follow_each_other(
    one: tuple[str, list[str], bool], other: tuple[str, list[str], bool], at: int
) -> None:
    both = f"{one[0]};{other[0]}"
    for sql in (both, both[:at]):
        kept = normalise(sql)
        assert not [word for word in (*one[1], *other[1]) if word in kept.lower()], (sql, kept)


@settings(max_examples=80, deadline=None)
@given(planted())
def test_what_all_dialects_read_alike_is_kept_but_for_its_literals(made: tuple[str, list[str], bool]) -> None:
    sql, _, plain = made
    assume(plain and "…" not in sql and "\\" not in sql)
    kept = normalise(sql)
    assert not kept.endswith("…"), (sql, kept)
    assert re.match(r"\w+", kept)[0] == re.match(r"\w+", sql)[0]  # type: ignore[index]


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("'\"`\\$/*-#aq[]?:;,() \n\0é1."), max_size=60), WORD)
def test_r32_nothing_inside_the_only_quotes_is_kept(noise: str, word: str) -> None:
    """Any rubbish before; a quote of a kind that is not in it, with the word inside, can only be a literal."""
    assume(not set(noise) & set("'\"`\\$") and "/*" not in noise and "--" not in noise and "#" not in noise)
    assert word not in normalise(f"SELECT {noise} '{word}'").lower()
