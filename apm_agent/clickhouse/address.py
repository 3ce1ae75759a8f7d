"""Where a ClickHouse server is: ``clickhouse://user:password@host:8123/database``."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

SCHEMES = ("clickhouse", "clickhouses")
_FORM = "clickhouse://user:password@host:8123/database (clickhouses:// for HTTPS)"
_OPTIONS = ("host",)


class Address(NamedTuple):
    """One database of one server; `hosts` narrows what is read to these machines."""

    host: str
    port: int
    user: str
    password: str
    database: str
    secure: bool = False
    hosts: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """For people and logs: never the password."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEMES[self.secure]}://{name}:{self.port}/{self.database}"

    @property
    def fingerprint(self) -> str:
        """Names the files of a shipper to this address."""
        return hashlib.blake2b(self.shown.encode(), digest_size=4).hexdigest()


def is_clickhouse(url: str) -> bool:
    """Whether a store's URL names a ClickHouse server."""
    return url.partition("://")[0] in SCHEMES and "://" in url


def parse(url: str, refused: type[Exception] = ValueError) -> Address:
    """The address a URL names; `refused` says what is wrong with it, without its password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise refused(f"the address of ClickHouse cannot be read: {error}; write {_FORM}") from None
    database = unquote(parts.path.strip("/")) or "default"
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise refused(f"the address of ClickHouse names no host: write {_FORM}")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", database):
        raise refused(f"{database[:60]!r} is no name of a database of ClickHouse: letters, digits and _ only")
    secure = parts.scheme == SCHEMES[1]
    return Address(
        parts.hostname,
        port or (8443 if secure else 8123),
        unquote(parts.username or "default"),
        unquote(parts.password or ""),
        database,
        secure,
        _hosts(parts.query, refused),
    )


def only(url: str, host: str) -> str:
    """The same store, but what that machine has shipped."""
    return f"{url.partition('?')[0]}?{urlencode({'host': host})}"


def _hosts(query: str, refused: type[Exception]) -> tuple[str, ...]:
    found = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise refused(f"the address of ClickHouse has no option {name[:40]!r}; there is host=NAME")
        found.append(value)
    return tuple(found)
