"""PyMySQL: what stands in its place; what is seen of it, test_mysql_drivers.py says."""

from __future__ import annotations

import pymysql
import pymysql.connections
import pymysql.cursors

from drivers import assert_same_and_back


def test_r12_r43_signatures_are_kept_and_the_very_objects_come_back() -> None:
    assert_same_and_back(
        (pymysql.cursors.Cursor, pymysql.cursors.SSCursor, pymysql.connections.Connection), 10
    )
