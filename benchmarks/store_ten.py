"""Makes ten of each transaction of a store, in minutes: ten million to measure pages on, from `store_big`'s million.

    python benchmarks/store_big.py /tmp/million.db --max-size 8G
    python benchmarks/store_ten.py /tmp/million.db /tmp/ten.db [--check]

Each copy lies some minutes later within the same ten minutes (and begins anew at their front), so that its window of
profiles, its hour and its day stay what they are. There every sum is ten times what it was, and each count of a
histogram; each minute has what its ten minutes had. Ids are those of the schema: the start above 21 bits, which differ
from copy to copy. Dictionaries, endpoints, processes and what else there is are copied as they are.

`--check` reads all of it once more: whether rows and rollups of each minute and endpoint say the same, and SQLite's
own `integrity_check`. Sums of each level are compared in any case.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from apm_agent.model.histogram import Histogram
from apm_agent.store.connection import connect
from records import rows, sums_agree

COPIES, WINDOW, HOUR = 10, 600, 3600
SECOND = 10**9
#: Columns that are not added up: the longest stays the longest.
LONGEST = ("duration_max_ns", "count_max", "cost_max_ns")
MINUTES = ("rollups", "statement_rollups", "insight_rollups")
#: What is not copied as it is.
MADE = ("transactions", "traces", "profiles", *MINUTES)
#: How a start and an id become those of copy `k`, in SQL; `x` is the transaction that is copied.
START = (
    f"(x.started_at / {WINDOW * SECOND} * {WINDOW * SECOND}"
    f" + (x.started_at / {60 * SECOND} % 10 + k.n) % 10 * {60 * SECOND}"
    f" + (x.started_at + k.n * 7123456789) % {60 * SECOND})"
)
ID = f"((({START} >> 20) << 21) | (((x.id & 2097151) + k.n * 209717) & 2097151))"


class Merged:
    """The aggregate ``merged(histogram)``."""

    def __init__(self) -> None:
        self._whole = Histogram()

    def step(self, data: bytes) -> None:
        """One more."""
        self._whole.merge_bytes(data)

    def finalize(self) -> bytes:
        """All of them."""
        return self._whole.to_bytes()


class Worst:
    """The aggregate ``worst(rank, value)``: the value of the highest rank."""

    def __init__(self) -> None:
        self._rank, self._value = -1, None

    def step(self, rank: int, value: Any) -> None:
        """One more."""
        if rank >= self._rank:
            self._rank, self._value = rank, value

    def finalize(self) -> Any:
        """What is worst."""
        return self._value


def tenfold(data: bytes) -> bytes:
    """A histogram with ten times each count."""
    made = Histogram()
    made.fill({bucket: COPIES * count for bucket, count in Histogram.from_bytes(data).counts.items()})
    return made.to_bytes()


def make(source: Path, target: Path, told: bool = False) -> None:
    """Fill `target`, which must not be there yet."""
    if target.exists():
        raise SystemExit(f"{target} is there already")
    target.parent.mkdir(parents=True, exist_ok=True)
    connect(str(target)).close()
    db = sqlite3.connect(target, isolation_level=None, uri=True)
    for name, value in (("journal_mode", "OFF"), ("synchronous", "OFF"), ("cache_size", "-200000")):
        db.execute(f"PRAGMA {name} = {value}")
    db.execute("ATTACH ? AS old", (f"file:{source.resolve()}?mode=ro",))
    if db.execute("PRAGMA old.user_version").fetchone() != db.execute("PRAGMA user_version").fetchone():
        raise SystemExit(f"{source} has another schema: let this apm-agent open it once")
    aggregate: Any = db.create_aggregate  # which takes bytes and texts too, whatever its stub says
    aggregate("merged", 1, Merged)
    aggregate("worst", 2, Worst)
    db.create_function("tenfold", 1, tenfold, deterministic=True)
    db.execute("CREATE TEMP TABLE k AS SELECT value AS n FROM json_each('[0,1,2,3,4,5,6,7,8,9]')")
    indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE name LIKE 'transactions\\_%' ESCAPE '\\'")
    waiting = indexes.fetchall()
    db.execute("BEGIN")
    for name, _ in waiting:  # of what is there already an index is made many times faster
        db.execute(f"DROP INDEX {name}")
    tell = Progress(told)
    _as_they_are(db)
    _transactions(db, tell)
    for name, sql in waiting:
        db.execute(sql)
        tell(name)
    for table in MINUTES:
        _minutes(db, table, tell)
        _coarser(db, table, f"resolution > {60}")
        tell(f"{table}, hours and days")
    _coarser(db, "profiles", "1")
    tell("profiles")
    db.execute("COMMIT")
    db.execute("DETACH old")
    db.execute("PRAGMA journal_mode = WAL")
    db.close()


class Progress:
    """Says what is done, and when."""

    def __init__(self, told: bool) -> None:
        self._told, self._begun = told, time.monotonic()

    def __call__(self, what: str) -> None:
        if self._told:
            print(f"{time.monotonic() - self._begun:6.0f} s  {what}", flush=True)


def columns(db: sqlite3.Connection, table: str) -> tuple[list[str], list[str]]:
    """Those of the key, and all."""
    found = db.execute(f"PRAGMA main.table_info({table})").fetchall()
    return [each[1] for each in found if each[5]], [each[1] for each in found]


def _as_they_are(db: sqlite3.Connection) -> None:
    names = (
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite\\_%' ESCAPE '\\'"
    )
    for (table,) in db.execute(names).fetchall():
        if table not in MADE:
            listed = ", ".join(columns(db, table)[1])
            db.execute(f"INSERT OR REPLACE INTO main.{table} ({listed}) SELECT {listed} FROM old.{table}")


def _transactions(db: sqlite3.Connection, tell: Progress) -> None:
    names = columns(db, "transactions")[1]
    made = {"id": ID, "started_at": START}
    first, last = db.execute("SELECT min(started_at), max(started_at) FROM old.transactions").fetchone()
    span = "FROM old.transactions x CROSS JOIN temp.k k{} WHERE x.started_at >= ? AND x.started_at < ? ORDER BY 1"
    rows_of = f"INSERT INTO transactions ({', '.join(names)}) SELECT " + ", ".join(
        f"{made.get(name, f'x.{name}')} AS {name}" for name in names
    )
    blobs = f"INSERT INTO traces (transaction_id, data) SELECT {ID}, d.data "
    step = HOUR * SECOND
    for number, at in enumerate(range(first // step * step, last + 1, step)):
        db.execute(f"{rows_of} {span.format('')}", (at, at + step))
        joined = " CROSS JOIN old.traces d ON d.transaction_id = x.id"
        db.execute(f"{blobs} {span.format(joined)}", (at, at + step))
        if number % 24 == 0:
            tell(f"transactions, day {number // 24}")


def _minutes(db: sqlite3.Connection, table: str, tell: Progress) -> None:
    """Each minute of ten has what all of them had: of each a copy lies in it."""
    key, names = columns(db, table)
    key = [name for name in key if name not in ("resolution", "t")]
    rest = [name for name in names if name not in (*key, "resolution", "t")]
    summed = [_summed(name) for name in rest]
    db.execute(f"CREATE TEMP TABLE ten AS SELECT {', '.join([*key, *rest])} FROM main.{table} LIMIT 0")
    gather = (
        f"INSERT INTO temp.ten SELECT {', '.join([*key, *summed])} FROM old.{table}"
        f" WHERE resolution = 60 AND t >= ? AND t < ? GROUP BY {', '.join(key)} ORDER BY {', '.join(key)}"
    )
    joined = ""
    if "transaction_id" in rest:  # the copy of the example that lies in this very minute
        joined = (
            " LEFT JOIN old.transactions x ON x.id = ten.transaction_id"
            " LEFT JOIN temp.k k ON k.n = (? - x.started_at / 60000000000 % 10 + 10) % 10"
        )
    values = [f"coalesce({ID}, ten.{name})" if name == "transaction_id" else f"ten.{name}" for name in rest]
    put = (
        f"INSERT INTO main.{table} (resolution, t, {', '.join([*key, *rest])})"
        f" SELECT 60, ?, {', '.join([f'ten.{name}' for name in key] + values)} FROM temp.ten ten{joined}"
    )
    first, last = db.execute(f"SELECT min(t), max(t) FROM old.{table} WHERE resolution = 60").fetchone()
    if first is not None:
        for window in range(first // WINDOW * WINDOW, last + 1, WINDOW):
            db.execute("DELETE FROM temp.ten")
            db.execute(gather, (window, window + WINDOW))
            for minute in range(COPIES):
                t = window + 60 * minute
                db.execute(put, (t, t // 60 % 10) if joined else (t,))
    db.execute("DROP TABLE temp.ten")
    tell(f"{table}, minutes")


def _summed(name: str) -> str:
    if name == "histogram":
        return "merged(histogram)"
    if name in ("text", "transaction_id"):
        return f"worst(max(cost_max_ns, count_max), {name})"
    return f"max({name})" if name in LONGEST else f"sum({name})"


def _coarser(db: sqlite3.Connection, table: str, where: str) -> None:
    key, names = columns(db, table)
    values = {name: f"{name} * {COPIES}" for name in names if name not in key}
    values |= {name: name for name in (*LONGEST, "text", "transaction_id") if name in values}
    values |= {"histogram": "tenfold(histogram)"}
    listed = ", ".join(values.get(name, name) for name in names)
    db.execute(
        f"INSERT INTO main.{table} ({', '.join(names)}) SELECT {listed} FROM old.{table} WHERE {where}"
    )


def wrong(source: Path, target: Path, whole: bool = False) -> list[str]:
    """What does not hold of the store that was made."""
    found = []
    if not sums_agree(target):
        found.append("the sums of a level are not those of the rows")
    for table, column in (("transactions", "id"), ("traces", "transaction_id")):
        [(had,)] = rows(source, f"SELECT count({column}) FROM {table}")
        [(has,)] = rows(target, f"SELECT count({column}) FROM {table}")
        if has != COPIES * had:
            found.append(f"{has} of {table}, not ten times {had}")
    for table, sums in (
        ("statement_rollups", "sum(count), sum(duration_ns), sum(transactions), max(duration_max_ns)"),
        ("insight_rollups", "sum(count), sum(transactions), sum(cost_ns), max(cost_max_ns)"),
    ):
        levels = rows(target, f"SELECT {sums} FROM {table} GROUP BY resolution")
        if len(set(levels)) > 1:
            found.append(f"levels of {table} do not agree: {levels}")
    lost = "SELECT count(*) FROM insight_rollups WHERE transaction_id NOT IN (SELECT id FROM transactions)"
    if rows(target, lost) != rows(source, lost):
        found.append("an insight names a transaction that is not there")
    if whole:
        found += _wrong_in_whole(target)
    return found


def _wrong_in_whole(target: Path) -> list[str]:
    found = []
    of_rows = (
        "SELECT started_at / 60000000000 * 60 AS t, endpoint_id, release_id, count(*), sum(failed), sum(duration_ns),"
        " max(duration_ns), sum(queries), sum(db_ns) FROM transactions GROUP BY 1, 2, 3"
    )
    of_rollups = (
        "SELECT t, endpoint_id, release_id, count, errors, duration_ns, duration_max_ns, queries, db_ns FROM rollups"
        " WHERE resolution = 60"
    )
    for one, other in ((of_rows, of_rollups), (of_rollups, of_rows)):
        [(apart,)] = rows(
            target, f"SELECT count(*) FROM (SELECT * FROM ({one}) EXCEPT SELECT * FROM ({other}))"
        )
        if apart:
            found.append(f"{apart} cells of a minute and an endpoint differ")
    db = sqlite3.connect(f"file:{target}?mode=ro", uri=True)
    for level in (60, 3600, 86400):
        data = db.execute("SELECT count, histogram FROM rollups WHERE resolution = ?", (level,))
        if any(Histogram.from_bytes(histogram).count != count for count, histogram in data):
            found.append(f"a histogram of {level} s counts not what its row does")
    if (said := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        found.append(said)
    db.close()
    return found


def main() -> int:
    """Make it, and say what it came to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--check", action="store_true", help="read all of it once more")
    given = parser.parse_args()
    begun = time.monotonic()
    make(given.source, given.target, told=True)
    took = time.monotonic() - begun
    [(count,)] = rows(given.target, "SELECT count(*) FROM transactions")
    size = given.target.stat().st_size
    print(f"{count:,} transactions in {took:.0f} s, {size / 2**20:.0f} MiB, {size / count:.0f} bytes each")
    found = wrong(given.source, given.target, given.check)
    print("\n".join(found) or "Its sums agree.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
