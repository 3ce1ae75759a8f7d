"""Which libraries are tested together, which tests drive them, and how old a version each Python can have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
TESTED = ROOT / "docs" / "tested.json"
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
ENDS = ("oldest", "newest")


class Set(NamedTuple):
    """Libraries of one or several lines of docs/tested.json, whose first versions are the oldest tested."""

    name: str
    #: below apm_agent/, without `.py`
    files: tuple[str, ...]
    #: below tests/
    tests: tuple[str, ...]
    #: what an old version needs old too, as pip asks for it
    beside: tuple[str, ...] = ()
    #: (Python, distribution, the oldest version that runs on it and later ones), where that is not the oldest of all
    since: tuple[tuple[str, str, str], ...] = ()
    framework: bool = False

    def pins(self, end: str, python: str, others: Sequence[str] = ()) -> tuple[str, ...]:
        """What pip is asked for; nothing at the newest end, where the newest of all is installed already.

        `others` are versions in place of the noted ones, as `Name=X.Y`; those of other sets are left out.
        """
        if end == "newest":
            return ()
        known = json.loads(TESTED.read_text())
        oldest: dict[str, str] = {}
        for file in self.files:
            for name, versions in known[f"apm_agent/{file}.py"].items():
                oldest[name] = min(oldest.get(name, versions[0]), versions[0], key=number)
        oldest |= {name: old for since, name, old in self.since if number(since) <= number(python)}
        asked = {name: f"{name}=={version}.*" for name, version in oldest.items()}
        asked |= {pin.partition("=")[0]: pin for pin in self.beside}
        elsewhere = {name for of in known.values() for name in of} - set(oldest)
        asked |= {
            name: f"{name}=={version}.*"
            for name, _, version in (pin.partition("=") for pin in others)
            if name not in elsewhere
        }
        return tuple(asked.values())

    def distributions(self) -> tuple[str, ...]:
        """Whose versions are noted."""
        known = json.loads(TESTED.read_text())
        return tuple(dict.fromkeys(name for file in self.files for name in known[f"apm_agent/{file}.py"]))


def number(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


#: What of these is the oldest that is built for a Python, or does not warn of it, by set.
_SINCE = {
    "asyncpg": (("3.12", "asyncpg", "0.29"), ("3.13", "asyncpg", "0.30")),
    "django_cache": (("3.13", "Django", "5.2"),),
    "falcon": (("3.13", "falcon", "4.0"),),
    "grpc": (("3.13", "grpcio", "1.66"),),
}


def _each(files: str, tests: str, *names: str) -> tuple[Set, ...]:
    """A set of each library whose file and whose tests are named as it is, in these folders."""
    return tuple(
        Set(name, (f"{files}/{name}",), (f"{tests}/test_{name}.py",), since=_SINCE.get(name, ()))
        for name in names
    )


_DJANGO = (
    "integrations/django/middleware",
    "integrations/django/commands",
    "instruments/django_orm",
    "instruments/django_templates",
)
#: Werkzeug as old as the agent itself allows. An old Starlette's test client needs an old httpx.
_WERKZEUG = ("Werkzeug==2.3.*",)
_HTTPX = ("httpx==0.25.*",)

SETS = (
    Set(
        "flask",
        ("integrations/flask",),
        ("integrations/test_flask.py", "integrations/test_wsgi.py", "integrations/test_wsgi_profiler.py"),
        _WERKZEUG,
        framework=True,
    ),
    Set(
        "django",
        _DJANGO,
        ("integrations/test_django.py", "instruments/test_django.py", "jobs/test_django_commands.py"),
        framework=True,
    ),
    Set(
        "starlette",
        ("integrations/starlette", "integrations/fastapi", "integrations/starlette_tasks"),
        ("integrations/test_starlette.py", "integrations/test_asgi.py", "jobs/test_starlette_tasks.py"),
        _HTTPX,
        framework=True,
    ),
    Set(
        "sqlalchemy",
        ("instruments/sqlalchemy", "instruments/sqlalchemy_pool"),
        ("instruments/test_sqlalchemy.py", "instruments/test_sqlalchemy_pool.py"),
        framework=True,
    ),
    # All five at once, under their servers and the load of the demo, with every planted fault to be found.
    Set(
        "apps",
        (
            "integrations/flask",
            *_DJANGO,
            "integrations/starlette",
            "integrations/fastapi",
            "integrations/starlette_tasks",
            "instruments/sqlalchemy",
        ),
        ("test_example_apps.py", "integrations/test_auto.py", "integrations/test_mount.py"),
        (*_WERKZEUG, *_HTTPX, "SQLAlchemy==2.0.*"),  # the shop's models are written for 2
        framework=True,
    ),
    *_each("integrations", "integrations", "falcon", "bottle", "pyramid", "tornado", "channels"),
    Set("litestar", ("integrations/places",), ("integrations/test_litestar.py",)),
    *_each("integrations", "integrations", "quart", "sanic"),
    Set(
        "aiohttp",
        ("integrations/aiohttp",),
        ("integrations/test_aiohttp.py", "instruments/test_more_http_clients.py"),
    ),
    Set(
        "rest",
        ("integrations/django/naming",),
        ("integrations/test_django_rest.py",),
        beside=("Django==5.2.*",),  # the oldest Ninja registers a converter that Django 6 has of its own
    ),
    Set(
        "http",
        ("instruments/requests", "instruments/urllib3", "instruments/httpx"),
        ("instruments/test_http_clients.py", "instruments/test_propagation.py"),
    ),
    *_each("instruments", "instruments", "aiomysql", "aiosqlite", "asyncpg", "botocore", "elasticsearch"),
    Set(
        "grpc",
        ("instruments/grpc", "instruments/grpc_aio", "integrations/grpc_server"),
        ("instruments/test_grpc.py", "instruments/test_grpc_aio.py", "integrations/test_grpc_server.py"),
        since=_SINCE["grpc"],
    ),
    *_each("instruments", "instruments", "jinja2", "mako"),
    Set("logs", ("instruments/loguru", "instruments/structlog"), ("logs",)),
    Set("opentelemetry", ("instruments/opentelemetry",), ("otel",)),
    Set("peewee", ("instruments/peewee",), ("instruments/test_peewee.py", "instruments/test_tortoise.py")),
    Set(
        "psycopg",
        ("instruments/psycopg",),
        ("instruments/test_psycopg.py", "instruments/test_psycopg_pool.py"),
    ),
    *_each("instruments", "instruments", "psycopg2", "pymemcache", "pymongo"),
    Set(
        "pymysql",
        ("instruments/pymysql",),
        ("instruments/test_pymysql.py", "instruments/test_mysql_drivers.py"),
    ),
    Set("redis", ("instruments/redis",), ("instruments/test_redis.py", "instruments/test_redis_patched.py")),
    Set("valkey", ("instruments/valkey",), ("instruments/test_redis.py",)),
    *_each("instruments", "instruments", "django_cache"),
    *_each("integrations", "jobs", "apscheduler", "arq", "celery"),
    Set("django_tasks", ("integrations/django/tasks",), ("jobs/test_django_tasks.py",)),
    *_each("integrations", "jobs", "dramatiq", "huey", "rq"),
    Set(
        "servers",
        ("integrations/auto",),
        (
            "integrations/test_auto.py",
            "integrations/test_workers.py",
            "reliability/test_r06_servers.py",
        ),
    ),
)

#: Lines of docs/tested.json without a set: their drivers are built here by a C compiler, or the tests of others
#: drive them, at the newest version alone.
BY_OTHERS = frozenset(
    f"apm_agent/{file}.py"
    for file in (
        "instruments/aiohttp",
        "instruments/asgiref",
        "instruments/mariadb",
        "instruments/mysqlclient",
        "instruments/threads",
        "integrations/uwsgi",
    )
)
