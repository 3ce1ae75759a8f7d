"""What 1, 100 and 10,000 hosts come to in a day: rows, bytes, inserts and questions, and where it breaks.

    python benchmarks/store_plan.py [--rate 20] [--endpoints 200] [--statements 10] [--kept 0.05]

Traffic is drawn minute by minute for a day, unevenly over endpoints as benchmarks/store_big.py does, and the cells of
the rollups it fills are counted. Bytes a row are those of a made million (docs/store.md); those of ClickHouse were
measured without and with details. A host writes its own file whatever there is beyond it.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from store_big import popularity

HOSTS = (1, 100, 10_000)
DAY_MINUTES = 1440

#: Bytes a row in SQLite with its indexes, by dbstat of a million; a minute's histogram is small, a day's is not.
TRANSACTION, DETAIL, STATEMENT = 172, 545, 49
ROLLUP = {60: 66, 3600: 180, 86400: 680}
#: Bytes a row in ClickHouse: bare, with its details, and of a rollup.
SERVER_ROW, SERVER_DETAIL, SERVER_ROLLUP = 19, 436, 30
#: What one server takes: rows a second in large inserts, and inserts a second before its parts outgrow its merges.
SERVER_ROWS, SERVER_INSERTS = 200_000, 20
SHIPPED_EACH = 5  # seconds
#: Transactions a second that one file takes from all processes of a host, details of each kept.
FILE_ROWS = 5_000
#: Somebody looks at one page in each ten hosts, two hours a day; a page asks this often.
LOOKING, QUESTIONS = 2 * 3600, 3 / 10


#: Of max_size, what is left for tables beside WAL and ballast.
ROOM = 0.86


class Host(NamedTuple):
    """One host's day."""

    transactions: int
    details: int
    cells: dict[int, int]

    def bytes(self, statements: int) -> float:
        """In its own file, all three levels."""
        rollups = sum(count * (ROLLUP[level] + statements * STATEMENT) for level, count in self.cells.items())
        return self.transactions * TRANSACTION + self.details * DETAIL + rollups


def day(rate: float, endpoints: int, kept: float, seed: int = 7) -> Host:
    """Draw the traffic of a day, and count the cells that have any."""
    chance, sums = random.Random(seed), popularity(endpoints)
    shares = [each - before for before, each in zip([0.0, *sums], sums, strict=False)]
    cells = {60: 0, 3600: 0, 86400: 0}
    hour: set[int] = set()
    whole: set[int] = set()
    total = 0.0
    for minute in range(DAY_MINUTES):
        expected = rate * 60 * (1 + 0.7 * math.sin(2 * math.pi * minute / DAY_MINUTES))
        total += expected
        seen = {
            number
            for number, share in enumerate(shares)
            if chance.random() < 1 - math.exp(-expected * share / sums[-1])
        }
        cells[60] += len(seen)
        hour |= seen
        whole |= seen
        if minute % 60 == 59:
            cells[3600] += len(hour)
            hour = set()
    cells[86400] = len(whole)
    return Host(int(total), int(total * kept), cells)


def days_that_fit(host: Host, statements: int, size: int) -> tuple[float, float]:
    """How far back transactions and hours reach in a file of that size: all go by age, the coarse more slowly."""
    day_of = {level: count * statements * STATEMENT for level, count in host.cells.items()}
    raw = host.transactions * TRANSACTION + host.details * DETAIL
    counted = [host.cells[level] * ROLLUP[level] for level in (60, 3600, 86400)]
    #: bytes a day, for how many days, how fast they fade (`store.windows.FADES`; 0: never)
    kinds = (
        (raw, 7, 1.0),
        (day_of[60], 8, 2.0),
        (day_of[3600], 90, 0.3),
        (day_of[86400], 730, 0.15),
        (counted[0], 8, 0.1),
        (counted[1], 90, 0.1),
        (counted[2], 730, 0.0),
    )
    low, high = 0.0, 1.0
    for _ in range(40):
        share = (low + high) / 2
        taken = sum(a_day * days * (min(1.0, share / fades) if fades else 1) for a_day, days, fades in kinds)
        low, high = (share, high) if taken < size * ROOM else (low, share)
    return 7 * low, 90 * min(1.0, low / 0.3)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rate", type=float, default=20.0, help="transactions a second of a host, on average (20)"
    )
    parser.add_argument("--endpoints", type=int, default=200)
    parser.add_argument(
        "--statements", type=int, default=10, help="statements and their lines an endpoint (10)"
    )
    parser.add_argument("--kept", type=float, default=0.05, help="the share with details (0.05)")
    given = parser.parse_args()
    host = day(given.rate, given.endpoints, given.kept)
    rolled = sum(host.cells.values()) * (1 + given.statements)
    print(f"One host: {host.transactions:,} transactions a day, {host.details:,} with details,")
    size = host.bytes(given.statements) / 2**20
    print(f"{rolled:,} rows of rollups, {size:,.0f} MiB a day before anything is deleted.")
    for room in (512, 2048, 8192):
        raw, hours = days_that_fit(host, given.statements, room * 2**20)
        print(
            f"  max_size {room:5} MiB, after two years: transactions of {raw:.1f} days, hours of {hours:.0f}"
        )
    print()
    print("| hosts | transactions a day | rollup rows a day | on the hosts a day | on servers a day | rows a second"
          " | inserts a second | questions a day | servers |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for hosts in HOSTS:
        rows = hosts * host.transactions
        # Rollups are merged over hosts on the server: a cell of many hosts is one row in the end.
        merged = host.cells[60] * (1 + given.statements) * min(hosts, 1 + math.log10(hosts))
        server = rows * SERVER_ROW + hosts * host.details * SERVER_DETAIL + merged * SERVER_ROLLUP
        second, inserts = rows / 86_400, hosts / SHIPPED_EACH
        servers = max(1, math.ceil(second / SERVER_ROWS), math.ceil(inserts / SERVER_INSERTS))
        questions = max(1, hosts // 10) * LOOKING * QUESTIONS
        print(f"| {hosts:,} | {rows:,} | {hosts * rolled:,} | {hosts * host.bytes(given.statements) / 2**30:,.1f} GiB |"
              f" {'none needed' if hosts == 1 else f'{server / 2**30:,.0f} GiB'} | {second:,.0f} | {inserts:,.1f} |"
              f" {questions:,.0f} | {0 if hosts == 1 else servers:,} |")  # fmt: skip
    print()
    print(
        f"A host's file takes {FILE_ROWS:,} transactions a second, {FILE_ROWS / given.rate:,.0f} times this traffic."
    )


if __name__ == "__main__":
    main()
