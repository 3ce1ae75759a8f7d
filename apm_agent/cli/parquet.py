"""A window of transactions as a Parquet file, for `apm-agent export --format parquet`."""

from __future__ import annotations

from pathlib import Path

import click

from apm_agent.exporters import parquet
from apm_agent.queries import window
from apm_agent.queries.connection import Connection
from apm_agent.queries.exported import batches
from apm_agent.queries.scope import Scope

_USUAL = "transactions.parquet"


def write(connection: Connection, span: str, scope: Scope, output: str) -> None:
    """Write the file, and say what is in it."""
    path = Path(output or _USUAL)
    if output == "-":
        raise click.UsageError("a Parquet file is not written to the terminal; name a file with -o.")
    try:
        written = parquet.write(
            str(path), batches(connection, window.of_range(span), scope.endpoints, scope.releases)
        )
    except OSError as error:
        raise click.UsageError(
            f"{str(path)!r} cannot be written: {error.strerror or error}; name another with -o."
        ) from None
    click.echo(
        f"{path}: {written:,} transactions, {path.stat().st_size:,} bytes; opens in DuckDB, pandas, Polars",
        err=True,
    )
