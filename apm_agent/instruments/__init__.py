"""What opens spans: one file a library, each a table PATCHES that `patching` applies on import."""

from __future__ import annotations

#: name → the file with its PATCHES, loaded when the agent starts. A new library is a file and a row here.
INSTRUMENTS: dict[str, str] = {
    "sqlite3": "apm_agent.instruments.sqlite3",
    "sqlalchemy": "apm_agent.instruments.sqlalchemy",
    "django_orm": "apm_agent.instruments.django_orm",
    "django_templates": "apm_agent.instruments.django_templates",
    "jinja2": "apm_agent.instruments.jinja2",
    "requests": "apm_agent.instruments.requests",
    "urllib3": "apm_agent.instruments.urllib3",
    "httpx": "apm_agent.instruments.httpx",
    "asgiref": "apm_agent.instruments.asgiref",
    "threads": "apm_agent.instruments.threads",
}
