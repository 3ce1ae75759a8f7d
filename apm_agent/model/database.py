"""Databases a plan may be asked of, as the setting `explain` names them; both wings read it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

SQLITE, POSTGRESQL, MYSQL = "sqlite", "postgresql", "mysql"
#: What may stand before ``://``, with or without a driver behind a plus, as SQLAlchemy and Django write it.
SCHEMES = {
    "sqlite": SQLITE, "sqlite3": SQLITE, "postgresql": POSTGRESQL, "postgres": POSTGRESQL, "psql": POSTGRESQL,
    "mysql": MYSQL, "mariadb": MYSQL,
}  # fmt: skip
TITLES = {SQLITE: "SQLite", POSTGRESQL: "PostgreSQL", MYSQL: "MySQL or MariaDB"}
_NAMED = re.compile(r"([A-Za-z][\w.-]{0,59})=(?=[A-Za-z][\w+]*://)", re.ASCII)

CURE = (
    "database URLs like postgresql://user:password@host/shop, mysql://user:password@host/shop or "
    "sqlite:////data/shop.db; several with names and commas between: shop=postgresql://…,old=sqlite:////…"
)


class Database(NamedTuple):
    """Where to connect. Only `name` and `engine` are ever shown: the rest may be secret."""

    name: str
    engine: str
    url: SplitResult

    def __repr__(self) -> str:
        return f"Database({self.name!r}, {self.engine!r})"

    @property
    def path(self) -> str:
        """Of SQLite the file, of others the name of the database."""
        return unquote(self.url.path[1:])

    @property
    def user(self) -> str:
        return unquote(self.url.username or "")

    @property
    def password(self) -> str:
        return unquote(self.url.password or "")

    def clean(self, text: str) -> str:
        """A message of the database without what is secret of the URL, in one line of at most 300 characters."""
        secrets = {self.password, self.url.password or "", self.url.geturl(), self.url.netloc, self.url.query}
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            text = text.replace(secret, "[secret]")
        return " ".join(text.split())[:300]


def databases(urls: Iterable[str]) -> tuple[Database, ...]:
    """Those that `urls` name, one without a name called after its engine; `ValueError` says how to write them."""
    found: dict[str, Database] = {}
    for text in urls:
        made = _one(text.strip())
        if made.name in found:
            raise ValueError(f"{CURE}; {made.name!r} is there twice: give each a name")
        found[made.name] = made
    return tuple(found.values())


def _one(text: str) -> Database:
    named = _NAMED.match(text)
    try:
        url = urlsplit(text[named.end() :] if named else text)
        port_is_fine = url.port is None or url.port > 0
    except ValueError:
        raise ValueError(CURE) from None
    engine = SCHEMES.get(url.scheme.partition("+")[0])
    if engine is None or not port_is_fine or "\x00" in unquote(text):
        raise ValueError(CURE)
    if engine == SQLITE and (url.netloc or len(url.path) < 2):
        raise ValueError(
            f"{CURE}. A SQLite URL has three slashes before a relative path, four before an absolute"
        )
    if engine != SQLITE and (not url.hostname or len(url.path) < 2):
        raise ValueError(f"{CURE}. A host and the name of the database must be there")
    return Database(named[1] if named else engine, engine, url)
