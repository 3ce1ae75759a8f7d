"""R39: only one SELECT of known functions is ever put to a database, whatever an application or a stranger sent."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apm_agent.model.statement import normalise
from apm_agent.plans.allowed import fill, refusal
from apm_agent.plans.words import FUNCTIONS, GROUPING, NEVER

READS = [
    "SELECT 1",
    "select a, b from t where id = 5 order by a limit 3 offset 4",
    'SELECT "orders"."id" FROM "orders" WHERE "orders"."name" = \'x; DROP TABLE orders\'',
    "SELECT `orders`.`id` FROM `orders` WHERE `orders`.`id` IN (1, 2, 3)",
    "SELECT count(*), max(a) FROM t GROUP BY b HAVING count(*) > 2",
    "(SELECT a FROM t) UNION ALL (SELECT b FROM u)",
    "WITH x AS (SELECT a FROM t) SELECT * FROM x",
    "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n FROM t",
    "WITH x (a) AS MATERIALIZED (SELECT 1), y (b) AS (SELECT 2) SELECT * FROM x, y",
    "SELECT CAST(a AS varchar) FROM t AS u (a, b) WHERE EXISTS (SELECT 1 FROM v WHERE v.id = u.a)",
    "SELECT a FROM t WHERE EXTRACT(YEAR FROM made) = 2026 AND coalesce(b, 'x') LIKE '%y'",
    "SELECT row_number() OVER (PARTITION BY a ORDER BY b) FROM t",
    "SELECT pg_catalog.lower(a) FROM t",
    "SELECT t.delete, t.update FROM t",
    "SELECT data->>'k', data #> '{a,b}' FROM t WHERE data @> '{}' AND words @@ to_tsquery('x')",
    "SELECT replace(a, 'x', 'y'), truncate(b, 2) FROM t",
]
NEVER_PUT = [
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "DROP TABLE t",
    "TRUNCATE t",
    "CREATE TABLE u AS SELECT * FROM t",
    "PRAGMA user_version = 7",
    "ATTACH 'x.db' AS x",
    "VACUUM INTO 'x.db'",
    "COPY t TO PROGRAM 'id'",
    "CALL shutdown_all()",
    "DO $$ BEGIN DELETE FROM t; END $$",
    "SET ROLE admin",
    "EXPLAIN ANALYZE DELETE FROM t",
    "EXPLAIN SELECT 1",
    "VALUES (1)",
    "TABLE t",
    "SELECT 1; DROP TABLE t",
    "SELECT 1;; SELECT 2",
    "SELECT a INTO u FROM t",
    "SELECT a FROM t INTO OUTFILE '/tmp/x'",
    "SELECT a FROM t INTO DUMPFILE '/tmp/x'",
    "SELECT a FROM t INTO @x",
    "SELECT @x := 1",
    "SELECT @@version",
    "SELECT a FROM t FOR UPDATE",
    "SELECT a FROM t FOR NO KEY UPDATE",
    "SELECT a FROM t FOR SHARE",
    "SELECT a FROM t LOCK IN SHARE MODE",
    "SELECT a FROM t PROCEDURE ANALYSE()",
    "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
    "WITH new AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM new",
    "WITH x AS (SELECT 1) DELETE FROM t",
    "WITH x AS (SELECT 1) UPDATE t SET a = 1",
    "WITH x AS (UPDATE t SET a = 1 RETURNING a) SELECT a FROM x",
    "SELECT pg_sleep(10)",
    "SELECT pg_catalog.pg_sleep(10)",
    "SELECT sleep(10)",
    "SELECT benchmark(1e9, md5('x'))",
    "SELECT get_lock('x', 10)",
    "SELECT load_file('/etc/passwd')",
    "SELECT load_extension('x')",
    "SELECT writefile('x', 'y')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_terminate_backend(1)",
    "SELECT pg_advisory_lock(1)",
    "SELECT nextval('s')",
    "SELECT setval('s', 1)",
    "SELECT set_config('role', 'admin', false)",
    "SELECT dblink_exec('x', 'DROP TABLE t')",
    "SELECT query_to_xml('DELETE FROM t', true, true, '')",
    "SELECT my_function(1)",
    "SELECT public.lower(a) FROM t",
    'SELECT "lower"(a) FROM t',
    "SELECT `sum`(a) FROM t",
    "SELECT \u017fum(a) FROM t",
    "SELECT * FROM pragma_table_info('t')",
    "SELECT * FROM nasty (1) AS x",
    "SELECT a FROM t WHERE (b = 1",
    "SELECT a FROM t) WHERE (b = 1",
    "SELECT 'it\\'s' FROM t",
    "",
    ";",
    "(((",
    "SELECT",
    "L" * 5_000,
    "SELECT " + "a, " * 20_000 + "b FROM t",
]


@pytest.mark.parametrize("sql", READS)
def test_a_select_is_let_through(sql: str) -> None:
    assert refusal(normalise(sql)) is None


@pytest.mark.parametrize("sql", [sql for sql in NEVER_PUT if sql != "SELECT"])
def test_r39_anything_else_is_refused_with_words(sql: str) -> None:
    for text in (normalise(sql), sql):
        said = refusal(text)
        assert said, text[:100]
        assert said[0].isupper()
        assert said.endswith(".")
        assert len(said) < 200


@given(st.text())
def test_r39_any_text_is_judged_without_an_error(text: str) -> None:
    refusal(text)
    refusal(f"SELECT {text} FROM t")


_PIECES = (
    "SELECT",
    "(",
    ")",
    ",",
    "?",
    "a",
    "t.b",
    "FROM",
    "WITH",
    "AS",
    *sorted(NEVER),
    "f(",
    '"x"(',
    ";",
    "--",
    ".",
)


@given(st.lists(st.sampled_from(_PIECES), max_size=12))
def test_r39_what_passes_holds_no_word_that_writes(pieces: list[str]) -> None:
    text = "SELECT " + " ".join(pieces)
    if refusal(text) is None:
        assert not {"f(", '"x"(', ";", "--"} & set(pieces) or {"AS", "WITH"} & set(pieces)
        for before, piece in zip(["SELECT", *pieces], pieces, strict=False):
            assert piece not in NEVER or before == "." or piece in FUNCTIONS, text


def test_no_function_of_the_list_writes_or_waits() -> None:
    names = (
        "SLEEP PG_SLEEP NEXTVAL SETVAL LOAD_FILE LOAD_EXTENSION DBLINK GET_LOCK BENCHMARK LO_IMPORT PG_READ_FILE"
        " SET_CONFIG XMLTABLE QUERY_TO_XML EDIT FTS3_TOKENIZER"
    )
    for name in names.split():
        assert name not in FUNCTIONS | GROUPING


def test_values_are_put_for_marks_and_nothing_else() -> None:
    assert fill('SELECT "a?" FROM `b?` WHERE c IN (?) AND d = ?', "$", number=True) == (
        'SELECT "a?" FROM `b?` WHERE c IN ($1) AND d = $2',
        2,
    )
    assert fill("SELECT ?", "NULL") == ("SELECT NULL", 1)


def test_whatever_passes_writes_nothing_when_it_is_run() -> None:
    """Beyond the promise: run for real against SQLite, what is let through changes no row."""
    db = sqlite3.connect(":memory:")
    db.executescript("CREATE TABLE t (id, a, b, made); INSERT INTO t VALUES (1, 2, 3, 4);")
    before = db.total_changes
    for sql in [*READS, *NEVER_PUT]:
        kept = normalise(sql)
        if refusal(kept) is None:
            text, _ = fill(kept, "NULL")
            try:
                db.execute(text).fetchmany(50)  # one of them would never end
            except sqlite3.Error:
                continue
    assert db.total_changes == before
    assert db.execute("SELECT * FROM t").fetchall() == [(1, 2, 3, 4)]
