"""Background jobs of every kind of function, with planted faults.

python jobs.py --rounds 3 --pause 0.5
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import apm_agent as apm


@apm.background_transaction("nightly invoices")
def invoices() -> int:
    total = 0
    with closing(database()) as connection:
        customers = connection.execute("SELECT id FROM customer").fetchall()
        for (customer,) in customers:
            total += open_sum(connection, customer)
    apm.add_context(customers=len(customers))
    return total


def open_sum(connection: sqlite3.Connection, customer: int) -> int:
    query = "SELECT sum(cents) FROM invoice WHERE customer = ?"
    return connection.execute(query, (customer,)).fetchone()[0]  # planted: repeated_query


@apm.background_transaction("rebuild index")
def rebuild_index() -> int:
    value = 1
    for step in range(1_500_000):
        value = (value * 48_271 + step * 7_919) % 99_991  # planted: hot_line
    return value


@apm.background_transaction("refresh feeds")
async def refresh_feeds() -> list[str]:
    return await asyncio.gather(*(refresh(name) for name in ("news", "sport", "weather")))


@apm.span("refresh")
async def refresh(name: str) -> str:
    await asyncio.sleep(0.03)
    return name


@apm.background_transaction("export rows")
def export() -> Iterator[str]:
    with closing(database()) as connection:
        for row in connection.execute("SELECT id, name FROM customer"):
            yield f"{row[0]},{row[1]}"


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT)")
    connection.execute("CREATE TABLE invoice (id INTEGER PRIMARY KEY, customer INTEGER, cents INTEGER)")
    connection.executemany("INSERT INTO customer VALUES (?, ?)", [(n, f"customer {n}") for n in range(1, 61)])
    connection.executemany(
        "INSERT INTO invoice VALUES (?, ?, ?)", [(n, n % 60 + 1, n * 131 % 7_000) for n in range(1, 6_001)]
    )
    return connection


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=1, help="how often to run each job; 0 means for ever")
    options.add_argument("--pause", type=float, default=0.5, help="seconds between rounds")
    chosen = options.parse_args()
    apm.install()
    done = 0
    while True:
        invoices()
        rebuild_index()
        asyncio.run(refresh_feeds())
        for _ in export():
            pass
        done += 1
        if done == chosen.rounds:
            return
        time.sleep(chosen.pause)


if __name__ == "__main__":
    main()
