"""What is kept of SQL: its shape, and never a literal."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apm_agent.model.statement import normalise, summary

CANARY = "s3cr3tCanary"
READ = {
    "select name from users where id = ?": "select name from users where id = ?",
    "select 1;": "select ?",
    "SELECT  a\n\t,b -- why\nFROM t /* where */ LIMIT 10": "SELECT a ,b FROM t LIMIT ?",
    "select * from t where a in (1, -2, 'x', NULL) and b = -5": "select * from t where a in (?) and b = ?",
    "select * from t where (a, b) in ((1, 2), (3, 4))": "select * from t where (a, b) in (?)",
    "select a - 1, - -5, 1.5e-3, .5, 0xDEAD, 1_000 from t": "select a - ?, ?, ?, ?, ?, ? from t",
    "select $1, :name, %s, %(name)s, @p1, ?2, x::int from t": "select ?, ?, ?, ?, ?, ?, x::int from t",
    "insert into t (a, b) values (1, now()), (2, now())": "insert into t (a, b) values (?, now())",
    "insert into t values (%s, %s), (%s, %s) returning id": "insert into t values (?) returning id",
    'INSERT INTO "t" ("a", "b") VALUES (%s, %s) ON CONFLICT ("a") DO UPDATE SET "b" = EXCLUDED."b"': (
        'INSERT INTO "t" ("a", "b") VALUES (?) ON CONFLICT ("a") DO UPDATE SET "b" = EXCLUDED."b"'
    ),
    'UPDATE "t" SET "a" = 1, "b" = "secret" WHERE "t"."id" = 3': (
        'UPDATE "t" SET "a" = ?, "b" = ? WHERE "t"."id" = ?'
    ),
    'SELECT COUNT(*) AS "__count" FROM "n" WHERE "n"."title" LIKE %s ESCAPE \'\\\'': (
        'SELECT COUNT(*) AS "__count" FROM "n" WHERE "n"."title" LIKE ? ESCAPE ?'
    ),
    'CREATE TABLE "t" ("id" integer PRIMARY KEY, "kind" ENUM("secret"))': (
        'CREATE TABLE "t" ("id" integer PRIMARY KEY, "kind" ENUM(?))'
    ),
    'SELECT "t"."a" FROM "t", "u" ORDER BY "t"."a" DESC, "secret", "u"."b"': (
        'SELECT "t"."a" FROM "t", "u" ORDER BY "t"."a" DESC, ?, "u"."b"'
    ),
    'SELECT a FROM (SELECT "t"."a" FROM "t" GROUP BY "secret") AS "s"': (
        'SELECT a FROM (SELECT "t"."a" FROM "t" GROUP BY ?) AS "s"'
    ),
    'SELECT TRIM(BOTH FROM "secret") FROM "t" WHERE a IS DISTINCT FROM "secret"': (
        'SELECT TRIM(BOTH FROM ?) FROM "t" WHERE a IS DISTINCT FROM ?'
    ),
    'SAVEPOINT "s140_x1"': "SAVEPOINT ?",
    "RELEASE SAVEPOINT sa_savepoint_1": "RELEASE SAVEPOINT ?",
    "select data #>> '{a,b}', data->>'k' from t": "select data #>> ?, data->>? from t",
    "select `a` from `shop`.`orders` # note": "select `a` from `shop`.`orders`",
    "": "",
}
REFUSED = {
    "select 'a": "SELECT …",
    'update t set a = "b': "UPDATE …",
    "select $$ a": "SELECT …",
    "select /* a": "SELECT …",
    "select /* a /* b */ c */ d": "SELECT …",
    r"select 'it\'s', ' secret '": "SELECT …",
    r"select E'it\'s'": "SELECT …",
    "select q'[it's]' from t": "SELECT …",
    "select 5--1, 'a\n secret'": "SELECT …",
    "nonsense 'a": "SQL …",
    "'a": "SQL …",
}
#: Texts with a canary as writers of SQL quote it, and as they may fail to.
QUOTED = (
    "'{}'", "'it''s {}'", "'\"{}\"'", "'{}\n'", "E'{}'", "e'\\\\{}'", "N'{}'", "b'{}'", "x'{}'", "U&'{}'",
    "_utf8'{}'", "$${}$$", "$tag${}$tag$", "$t$ $$ {} $t$", "r'{}'", "q'[{}]'", "'\\'{}'", "'{}\\'",
    "'a\\'{}\\'b'", '"{}"', '"{}""x"', '"a b {}"', "/* {} */", "/* ' {} */", "-- {}\n", "-- it's {}\n",
    "# {}\n",
    "'{}' '{}'", "('{}')", "'{}'::text", "DATE '{}'", "'/*{}*/'", "'--{}'", "/* ' */ '{}'",
    "'\u00e9{}\u2019'",
)  # fmt: skip
UNENDED = ("'{}", '"{}', "/* {}", "$x${}", "`{}", "\u2018 '{}", "'a''{}")
PLACES = (
    "SELECT {} FROM t", "SELECT a FROM t WHERE b = {}", "SELECT a FROM t WHERE b IN ({}, {}) AND c = 1",
    "INSERT INTO t (a, b) VALUES ({}, 1), (2, {})", "UPDATE t SET a = {}, b = {} WHERE c LIKE {}",
    "SELECT f({}, x) FROM t WHERE a > 1 ORDER BY f({})", "CALL p({})", "SET x = {}", "SET NAMES {}",
    "SELECT a FROM t WHERE a = 1 AND b BETWEEN {} AND {} LIMIT 1", "SELECT * FROM f({})", "PRAGMA key = {}",
    "CREATE USER u IDENTIFIED BY {}", "ALTER USER u WITH PASSWORD {}", "SELECT {};", "EXEC p {}, {}",
    "SELECT CASE WHEN a = {} THEN {} ELSE {} END FROM t", "INSERT INTO t SELECT {}, {}", "DO {}",
    "CREATE TABLE t (a ENUM({}), b text DEFAULT {} CHECK (b IN ({})))", "SELECT a FROM t HAVING a = {}",
    "GRANT ALL ON t TO u IDENTIFIED BY {}", "SELECT a || {} || b FROM t ORDER BY a, {} || b", "{}", "({})",
    "SELECT a FROM t ORDER BY {}", "SELECT a FROM t GROUP BY a, {} DESC LIMIT 1", "SELECT a OVER (PARTITION BY {})",
    "SELECT TRIM(LEADING 'x' FROM {})", "SELECT EXTRACT(YEAR FROM {}), a FROM t", "SELECT a IS DISTINCT FROM {}",
    "ATTACH DATABASE {} AS x KEY {}", "COMMENT ON TABLE t IS {}", "SELECT a FROM t JOIN u ON {} = u.a",
    "REPLACE INTO t VALUES ROW({}), ROW({})",
    "SELECT t.a FROM t WHERE MATCH (t.a) AGAINST ({} IN BOOLEAN MODE)",
)  # fmt: skip


@pytest.mark.parametrize(("sql", "kept"), READ.items())
def test_what_is_kept(sql: str, kept: str) -> None:
    assert normalise(sql) == kept


@pytest.mark.parametrize(("sql", "kept"), REFUSED.items())
def test_what_cannot_be_read_leaves_its_first_word(sql: str, kept: str) -> None:
    assert normalise(sql) == kept


@given(st.sampled_from(PLACES), st.lists(st.sampled_from(QUOTED), min_size=1, max_size=4), st.data())
def test_r32_no_literal_survives_in_any_quoting(place: str, quotings: list[str], data: st.DataObject) -> None:
    parts = place.split("{}")
    text = parts[0]
    for part in parts[1:]:
        text += data.draw(st.sampled_from(quotings)).replace("{}", CANARY) + part
    assert CANARY.lower() not in normalise(text).lower()


@pytest.mark.parametrize("quoting", QUOTED)
def test_r32_each_quoting_in_each_place(quoting: str) -> None:
    for place in PLACES:
        assert CANARY not in normalise(place.replace("{}", quoting.replace("{}", CANARY))), place


@pytest.mark.parametrize("quoting", UNENDED)
def test_r32_what_does_not_end_is_not_kept(quoting: str) -> None:
    for place in PLACES:
        assert CANARY not in normalise(
            place.replace("{}", "1", place.count("{}") - 1).replace("{}", quoting.replace("{}", CANARY))
        ), place


@given(st.integers(10**6), st.sampled_from(PLACES))
def test_r32_no_number_survives(number: int, place: str) -> None:
    for text in (f"{number}", f"-{number}", f"{number}.5", f"0x{number}", f"{number}e5", f"@{number}"):
        assert str(number) not in normalise(place.replace("{}", text))


TOKENS = (
    *"()[]{}.,;:=<>+-*/%#?@$!\\'\"` \n\t…",
    "SELECT", "select", "FROM", "WHERE", "VALUES", "IN", "ORDER BY", "SET", "UPDATE", "INSERT INTO",
    "ON", "AS",
    "CREATE TABLE", "SAVEPOINT", "ESCAPE", "ESCAPE '\\'", "NULL", "(?)", "--", "/*", "*/", "$$", "$a$",
    "::", "%s",
    ":a", "$1", "@@x", "q'", "E'", "'a'", '"a"', '"a b"', "`a`", "1", "-1", "1.5", "a", "t1", "\x00",
    "\ud800", "é",
)  # fmt: skip
soup = st.lists(st.sampled_from(TOKENS), max_size=30).map("".join) | st.lists(
    st.sampled_from(TOKENS), max_size=30
).map(" ".join)


@given(soup | st.text())
@example('SELECT "a"."b"' * 500)
@example("SELECT (" + "1, " * 9000)
@example("insert into t values " + "(1, 2), " * 4000)
@example('select "' + "a" * 3990 + '"."b" from "t"')
@example("a" * 5000)
def test_once_is_enough(sql: str) -> None:
    kept = normalise(sql)
    assert len(kept) <= 4000
    assert kept.encode("utf-8").decode("utf-8") == kept
    assert "\x00" not in kept
    assert normalise(kept) == kept
    assert len(summary(kept)) <= 300


def test_a_long_list_is_one_statement_however_long() -> None:
    few, many = (f"SELECT a FROM t WHERE id IN ({', '.join(['7'] * n)})" for n in (5, 9000))
    assert normalise(few) == "SELECT a FROM t WHERE id IN (?)"
    assert normalise(many) == "SELECT a FROM t WHERE id IN (? …"
    assert normalise(f"INSERT INTO t VALUES {', '.join(['(1, 2)'] * 9000)}") == "INSERT INTO t VALUES (?) …"


@pytest.mark.parametrize(
    "piece",
    [
        "'",
        '"',
        "`",
        "(",
        "((",
        "1",
        "a",
        " ",
        "$a$",
        "/*",
        "''",
        "\\",
        '"a" ',
        "_a",
        ".",
        "-",
        "e1",
        "@",
        "'a',",
    ],
)
def test_hostile_texts_take_no_longer_than_others(piece: str) -> None:
    """A million characters: what is not linear would not end."""
    text = piece * (1_000_000 // len(piece))
    assert len(normalise(text)) <= 4000
    assert len(normalise("SELECT " + text[:16_000])) <= 4000
    assert len(summary("SELECT a FROM " + text[:4000])) <= 5000


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            'SELECT "shop_customer"."id" FROM "shop_customer" WHERE "shop_customer"."id" = ?',
            "SELECT shop_customer",
        ),
        ("select ? from a.b", "SELECT b"),
        ("SELECT EXTRACT(year FROM x) FROM t", "SELECT t"),
        ("SELECT count(*) FROM (SELECT ? FROM t) s", "SELECT t"),
        ("INSERT INTO orders (a) VALUES (?)", "INSERT orders"),
        ("insert or replace into `orders` values (?)", "INSERT orders"),
        ("DELETE FROM orders WHERE id = ?", "DELETE orders"),
        ('UPDATE "orders" SET "a" = ?', "UPDATE orders"),
        ("WITH x AS (SELECT ? FROM y) UPDATE z SET a = ?", "UPDATE z"),
        ("CREATE TABLE IF NOT EXISTS t (a int)", "CREATE t"),
        ("PRAGMA foreign_keys = ON", "PRAGMA foreign_keys"),
        ("BEGIN", "BEGIN"),
        ("SELECT …", "SELECT"),
        ("SELECT ?", "SELECT"),
        ("", ""),
    ],
)
def test_summary(statement: str, said: str) -> None:
    assert summary(statement) == said
