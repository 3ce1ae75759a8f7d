"""SQL whose quotes were ended by a value is not kept: what looks like a name there is the rest of the value."""

from __future__ import annotations

import pytest

from apm_agent.model.statement import normalise


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM customer WHERE name = 'O'Brien' AND it = 'x'",
        "SELECT x FROMM ''quokka' it's'",
        'SELECT * FROM customer WHERE name = "O"Brien" AND it = "x"',
    ],
)
def test_r32_a_value_that_ends_its_own_quotes(sql: str) -> None:
    assert normalise(sql) == "SELECT …"


def test_quotes_that_end_where_they_should() -> None:
    assert normalise("SELECT 'it''s', e'a' FROM \"t\" WHERE a='x'::text") == (
        'SELECT ?, ? FROM "t" WHERE a=?::text'
    )
