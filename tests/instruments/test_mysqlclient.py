"""mysqlclient: what stands in its place; what is seen of it, test_mysql_drivers.py says."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from apm_agent.instruments import patching
from databases import built
from drivers import assert_same_and_back

MySQLdb = built("MySQLdb")
built("MySQLdb.cursors")
built("MySQLdb.connections")
pytestmark = pytest.mark.server


@pytest.fixture
def address(instruments: None, mariadb: int) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": mariadb, "user": "apm", "password": "a-password", "database": "shop"}


def test_r12_r43_methods_made_in_c_are_what_they_were(address: dict[str, Any]) -> None:
    patching.remove()
    commit = MySQLdb.connections.Connection.commit
    patching.apply()
    now = MySQLdb.connections.Connection.commit
    assert now is not commit
    for ask in (inspect.ismethoddescriptor, inspect.isroutine, inspect.getdoc, repr):
        assert ask(now) == ask(commit)
    with MySQLdb.connect(**address) as connection:
        assert inspect.isbuiltin(connection.commit)
        assert connection.commit() is None
    patching.remove()
    assert "commit" not in vars(MySQLdb.connections.Connection)
    assert MySQLdb.connections.Connection.commit is commit


def test_r12_r43_signatures_are_kept_and_the_very_objects_come_back() -> None:
    owners = (
        MySQLdb.cursors.BaseCursor, MySQLdb.cursors.CursorUseResultMixIn, MySQLdb.connections.Connection,
    )  # fmt: skip
    assert_same_and_back(owners, 11)
