"""The one way to speak to ClickHouse: statements, rows and large inserts, through clickhouse-connect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from apm_agent.clickhouse.address import Address

Row = tuple[Any, ...]
_CONNECT_SECONDS, _ANSWER_SECONDS = 5, 60
#: The first server that knows a token by which a repeated insert is told.
_TOKENS = (22, 2)


class Engine(Protocol):
    """What both wings need of a server; raises the one error it was made with for whatever goes wrong."""

    version: tuple[int, ...]

    def run(self, sql: str) -> None:
        """Run a statement that answers nothing."""
        ...

    def rows(self, sql: str, binary: Sequence[str] = ()) -> list[Row]:
        """All rows of one statement; the columns named in `binary` as bytes."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], token: str) -> None:
        """Put rows in; the same token again puts them in once, where the server knows tokens."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def connect(address: Address, failed: type[Exception]) -> Engine:
    """Connected, or `failed` with the cure; the database is made where it is not there."""
    return Server(address, failed)


class Server:
    """A server that is spoken to over HTTP."""

    def __init__(self, address: Address, failed: type[Exception]) -> None:
        self._failed = failed
        try:
            import clickhouse_connect
            from clickhouse_connect.driver.exceptions import Error
        except ImportError as error:
            raise failed(
                f"ClickHouse needs the package clickhouse-connect ({error}). Cure: pip install 'apm-agent[clickhouse]'"
            ) from None
        self._errors: tuple[type[Exception], ...] = (Error, OSError)
        self._address = address
        try:
            self._client = clickhouse_connect.get_client(
                host=address.host,
                port=address.port,
                username=address.user,
                password=address.password,
                secure=address.secure,
                connect_timeout=_CONNECT_SECONDS,
                send_receive_timeout=_ANSWER_SECONDS,
                query_retries=0,
                autogenerate_session_id=False,
            )
        except self._errors as error:
            raise self._words(error) from None
        self.version = version_of(str(self._client.server_version))
        self.run(f"CREATE DATABASE IF NOT EXISTS {address.database}")
        self._client.database = address.database

    def run(self, sql: str) -> None:
        try:
            self._client.command(sql)
        except self._errors as error:
            raise self._words(error) from None

    def rows(self, sql: str, binary: Sequence[str] = ()) -> list[Row]:
        try:
            formats: dict[str, str | dict[str, str]] | None = dict.fromkeys(binary, "bytes") or None
            return [tuple(row) for row in self._client.query(sql, column_formats=formats).result_rows]
        except self._errors as error:
            raise self._words(error) from None

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], token: str) -> None:
        settings = {"insert_deduplication_token": token} if self.version >= _TOKENS else None
        try:
            self._client.insert(table, rows, column_names=list(columns), settings=settings)
        except self._errors as error:
            raise self._words(error) from None

    def close(self) -> None:
        self._client.close()

    def _words(self, error: Exception) -> Exception:
        text = " ".join(str(error).split())
        if self._address.password:
            text = text.replace(self._address.password, "***")
        if "Unknown identifier: readonly" in text:
            text = "it is too old for clickhouse-connect, which asks for a column of system.settings that it has not"
        return self._failed(f"ClickHouse at {self._address.shown}: {text[:400]}")


def version_of(text: str) -> tuple[int, ...]:
    """``25.8.2.29`` as numbers."""
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def quoted(text: str) -> str:
    """A text as a literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
