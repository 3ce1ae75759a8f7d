"""Django's ORM on each database driver: one span a statement, not one of the ORM's and one of the driver's."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from databases import built
from servers import environment

pytestmark = pytest.mark.server

SITE = """
import json, sys
from apm_agent.errors import contained
from apm_agent.instruments import patching
from apm_agent.tracing import tracer as tracing
patching.apply()
tracing.tracer = tracing.Tracer(sink=lambda transaction: None)

driver, settings = sys.argv[1], json.loads(sys.argv[2])
if driver == "psycopg2":
    sys.modules["psycopg"] = None  # Django takes the newer one it finds
if driver == "pymysql":
    import pymysql
    pymysql.install_as_MySQLdb()

import django
from django.conf import settings as django_settings
django_settings.configure(DATABASES={"default": settings}, USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField")
django.setup()
from django.db import connection, models, transaction

class Item(models.Model):
    name = models.CharField(max_length=20)
    class Meta:
        app_label = "shop"

with connection.schema_editor() as editor:
    editor.create_model(Item)
connection.close()
web = tracing.tracer.begin("web", "GET /")
with transaction.atomic():
    Item.objects.create(name="Ada")
    Item.objects.bulk_create([Item(name="Bob"), Item(name="Eve")])
    with connection.cursor() as cursor:
        cursor.executemany("update shop_item set name = %s where name = %s", [("A", "Ada"), ("B", "Bob")])
    assert sorted(item.name for item in Item.objects.iterator(chunk_size=2)) == ["A", "B", "Eve"]
assert Item.objects.count() == 3
tracing.tracer.end(web)
with connection.schema_editor() as editor:
    editor.delete_model(Item)
connection.close()
assert driver in sys.modules and not contained.seen, contained.seen
print(json.dumps([[(s.statement or s.name).split()[0].upper(), (s.tags or {}).get("system"), s.parent is None,
                   s.fetched.rows if s.fetched else 0]
                  for s in web.spans]))
"""


def spans_of(driver: str, engine: str, **settings: Any) -> list[list[Any]]:
    """What a site of one model sees on that driver."""
    given = json.dumps({"ENGINE": f"django.db.backends.{engine}", "HOST": "127.0.0.1", **settings})
    done = subprocess.run(
        [sys.executable, "-c", SITE, driver, given],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_postgresql(postgresql: int, driver: str) -> None:
    found = spans_of(
        driver, "postgresql", PORT=postgresql, NAME="postgres", USER="postgres", PASSWORD="a-password"
    )
    # The ORM's own hook sees its statements; what is fetched from a cursor on the server the driver's tells of them.
    names = ("CONNECT", "INSERT", "INSERT", "UPDATE", "SELECT", "COMMIT", "SELECT")
    assert found == [
        [name, "postgresql", True, 3 if name == "SELECT" and at == 4 else 0] for at, name in enumerate(names)
    ]


@pytest.mark.parametrize("driver", ["pymysql", "MySQLdb"])
def test_mariadb(mariadb: int, driver: str) -> None:
    if driver == "MySQLdb":
        built(driver)
    found = spans_of(driver, "mysql", PORT=mariadb, NAME="shop", USER="apm", PASSWORD="a-password")
    assert [name for name, *_ in found if name != "SET"] == [
        "CONNECT", "INSERT", "INSERT", "UPDATE", "SELECT", "COMMIT", "SELECT",
    ]  # fmt: skip
    assert {(system, outermost) for _, system, outermost, _ in found} == {("mysql", True)}
