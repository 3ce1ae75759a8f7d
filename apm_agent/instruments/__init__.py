"""What opens spans: one file a library, each a table PATCHES that `patching` applies on import."""

from __future__ import annotations

#: name → the file with its PATCHES, loaded when the agent starts. A new library is a file and a row here.
INSTRUMENTS: dict[str, str] = {
    "sqlite3": "apm_agent.instruments.sqlite3",
    "psycopg": "apm_agent.instruments.psycopg",
    "psycopg2": "apm_agent.instruments.psycopg2",
    "pymysql": "apm_agent.instruments.pymysql",
    "asyncpg": "apm_agent.instruments.asyncpg",
    "aiosqlite": "apm_agent.instruments.aiosqlite",
    "sqlalchemy": "apm_agent.instruments.sqlalchemy",
    "django_orm": "apm_agent.instruments.django_orm",
    "django_templates": "apm_agent.instruments.django_templates",
    "django_cache": "apm_agent.instruments.django_cache",
    "jinja2": "apm_agent.instruments.jinja2",
    "requests": "apm_agent.instruments.requests",
    "urllib3": "apm_agent.instruments.urllib3",
    "http_client": "apm_agent.instruments.http_client",
    "aiohttp": "apm_agent.instruments.aiohttp",
    "httpx": "apm_agent.instruments.httpx",
    "redis": "apm_agent.instruments.redis",
    "valkey": "apm_agent.instruments.valkey",
    "pymemcache": "apm_agent.instruments.pymemcache",
    "asgiref": "apm_agent.instruments.asgiref",
    "threads": "apm_agent.instruments.threads",
    # Job queues open transactions, so their files lie in integrations; as text they make no arrow that goes up.
    "celery": "apm_agent.integrations.celery",
    "rq": "apm_agent.integrations.rq",
    "huey": "apm_agent.integrations.huey",
    "dramatiq": "apm_agent.integrations.dramatiq",
    "bottle": "apm_agent.integrations.bottle",
    "falcon": "apm_agent.integrations.falcon",
    "pyramid": "apm_agent.integrations.pyramid",
    "quart": "apm_agent.integrations.quart",
    "aiohttp_server": "apm_agent.integrations.aiohttp",
    "tornado": "apm_agent.integrations.tornado",
    "sanic": "apm_agent.integrations.sanic",
}
