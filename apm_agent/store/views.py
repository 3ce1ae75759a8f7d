"""The read-only views of a store, for people with SQL: stable names, units in the names, no ids to join.

They lie in the file itself, so that every tool that opens SQLite sees them: Datasette, sqlite-utils, the sqlite3 shell.
Columns are only ever added. A change of them is a migration that makes them all anew.

Percentiles are those of the dashboard, in SQL alone: see `store.buckets`.
"""

from __future__ import annotations

from typing import NamedTuple

from apm_agent.store.buckets import BUCKET, COUNT, edge, percentile, rollups


class Column(NamedTuple):
    """A column of a view: `sql` is what it is made of."""

    name: str
    sql: str
    about: str


class View(NamedTuple):
    """A view: `tables` is what stands after FROM."""

    name: str
    about: str
    tables: str
    columns: tuple[Column, ...]

    @property
    def sql(self) -> str:
        """The statement that makes it."""
        parts = ",\n  ".join(f"{column.sql} AS {column.name}" for column in self.columns)
        return f"CREATE VIEW {self.name} AS SELECT\n  {parts}\nFROM {self.tables}"


#: Seconds of a rollup → how its views are named after it.
SPANS = {60: "minute", 3600: "hour", 86400: "day"}


def _ms(column: str) -> str:
    return f"{column} / 1e6"


def _kb(column: str) -> str:
    return f"{column} / 1024.0"


def _utc(seconds: str) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%SZ', {seconds}, 'unixepoch')"


_WHOSE = (
    Column("service", "e.service", "the service"),
    Column("kind", "e.kind", "web, background, websocket or stream"),
    Column("endpoint", "e.name", "the endpoint's name"),
    Column("release", "nullif(l.version, '')", "the application's version; NULL when it named none"),
)
_OF_WHOM = "r LEFT JOIN endpoints e ON e.id = r.endpoint_id LEFT JOIN releases l ON l.id = r.release_id"
_LINE = (
    Column("file", "f.file", "the file of the line of own code"),
    Column("line", "f.line", "its number"),
    Column("function", "f.function", "the function it is in"),
)


def _since(span: str) -> tuple[Column, Column]:
    return (
        Column("started_utc", _utc("r.t"), f"where the {span} begins, in UTC"),
        Column("started_unix_s", "r.t", "the same in Unix seconds"),
    )


def _of(table: str, seconds: int) -> str:
    return f"{table} {_OF_WHOM} WHERE r.resolution = {seconds}"


def _kinds(table: str) -> tuple[Column, ...]:
    """Milliseconds by what the time went to."""
    named = {
        "db": "databases", "http": "calls of other services", "template": "templates", "cache": "caches",
        "wait": "locks, pools and the like", "gc": "pauses of the garbage collector",
    }  # fmt: skip
    claimed = " - ".join(f"{table}.{kind}_ns" for kind in named)
    rest = f"max(0, {table}.duration_ns - {claimed}) / 1e6"
    return (
        Column("python_ms", rest, "what is left: the application's own code"),
        *(Column(f"{kind}_ms", _ms(f"{table}.{kind}_ns"), f"time in {said}") for kind, said in named.items()),
    )


def _endpoints(seconds: int, span: str) -> View:
    return View(
        f"v_endpoints_{span}",
        f"Each endpoint and release, by the {span}: how much it ran, how long it took. A row is one {span}; sums and "
        "counts add up over rows, percentiles do not: for those see `v_latency_…`.",
        f"{rollups(seconds)} {_OF_WHOM}",
        (
            *_since(span), *_WHOSE,
            Column("transactions", "r.count", "how many ended"),
            Column("errors", "r.errors", "how many of them failed"),
            Column("total_ms", _ms("r.duration_ns"), "their durations, summed"),
            Column("mean_ms", "r.duration_ns / 1e6 / r.count", "their mean"),
            Column("max_ms", _ms("r.duration_max_ns"), "the longest"),
            Column("p50_ms", percentile(0.5), "half are faster; right within 1.083 %"),
            Column("p95_ms", percentile(0.95), "95 % are faster; right within 1.083 %"),
            Column("p99_ms", percentile(0.99), "99 % are faster; right within 1.083 %"),
            *_kinds("r"),
            Column("cpu_mean_ms", "r.cpu_ns / 1e6 / nullif(r.cpu_count, 0)", "processor time; NULL: not known"),
            Column("queue_mean_ms", "r.queue_ns / 1e6 / nullif(r.queue_count, 0)", "waiting before; NULL: not known"),
            Column("queries", "r.queries", "statements run, summed"),
            Column("kept_mean_kb", "r.rss_bytes / 1024.0 / nullif(r.rss_count, 0)",
                   "resident memory kept a call, of calls no other overlapped; NULL: there was none"),
            Column("kept_calls", "r.rss_count", "how many such calls"),
        ),
    )  # fmt: skip


#: The numbers from 0 below n, as the keys of an array of n zeros.
_NUMBERS = "json_each('[0' || replace(hex(zeroblob(n - 1)), '00', ',0') || ']')"


def _latency(seconds: int, span: str) -> View:
    counted = f"{BUCKET} AS bucket, {COUNT} AS counted"
    cells = f"(SELECT *, {counted} FROM (SELECT *, key AS i FROM {rollups(seconds)}, {_NUMBERS}))"
    return View(
        f"v_latency_{span}",
        f"The histograms of `v_endpoints_{span}`, a row a bucket: sum `transactions` over rows of any choice, and read "
        "any percentile of that choice from the sums.",
        f"{cells} {_OF_WHOM} WHERE r.counted > 0",
        (
            *_since(span), *_WHOSE,
            Column("bucket", "r.bucket", "its number; its edges are 2^(bucket/32) and 2^((bucket+1)/32) ns"),
            Column("above_ms", edge("r.bucket"), "longer than this"),
            Column("up_to_ms", edge("r.bucket + 1"), "and at most so long"),
            Column("transactions", "r.counted", "how many"),
        ),
    )  # fmt: skip


def _statements(seconds: int, span: str) -> View:
    return View(
        f"v_statements_{span}",
        f"Each statement, by the {span} and the line of own code that ran it.",
        _of("statement_rollups", seconds).replace(
            " WHERE", " LEFT JOIN statements s ON s.id = r.statement_id LEFT JOIN frames f ON f.id = r.frame_id WHERE"
        ),
        (
            *_since(span), *_WHOSE,
            Column("statement_id", "r.statement_id", "as the API's `query` takes it"),
            Column("statement", "s.text", "the text, literals out"),
            *_LINE,
            Column("runs", "r.count", "how often it ran"),
            Column("transactions", "r.transactions", "in how many transactions"),
            Column("total_ms", _ms("r.duration_ns"), "its durations, summed"),
            Column("mean_ms", "r.duration_ns / 1e6 / r.count", "their mean"),
            Column("max_ms", _ms("r.duration_max_ns"), "the longest"),
        ),
    )  # fmt: skip


def _insights(seconds: int, span: str) -> View:
    return View(
        f"v_insights_{span}",
        f"Each cause found, by the {span}, endpoint and line: repeated queries, slow queries, blocked loops, growth.",
        _of("insight_rollups", seconds).replace(
            " WHERE", " LEFT JOIN statements s ON s.id = r.statement_id LEFT JOIN frames f ON f.id = r.frame_id WHERE"
        ),
        (
            *_since(span), *_WHOSE,
            Column("insight", "r.kind", "which cause, like repeated_query"),
            Column("text", "r.text", "in words, as of the costliest transaction"),
            Column("statement", "s.text", "the statement it is about, if any"),
            *_LINE,
            Column("transactions", "r.transactions", "in how many transactions it was found"),
            Column("count", "r.count", "how often, where it repeats"),
            Column("cost_ms", _ms("r.cost_ns"), "what it cost, summed"),
            Column("cost_max_ms", _ms("r.cost_max_ns"), "in the costliest transaction"),
            Column("cost_kb", _kb("r.cost_bytes"), "memory it kept, summed"),
            Column("transaction_id", "printf('%016x', r.transaction_id)", "the costliest, as `v_transactions` has it"),
        ),
    )  # fmt: skip


_TRANSACTIONS = View(
    "v_transactions",
    "Every transaction, a row each: newest last. Its spans and samples are not here: they are compressed.",
    "transactions r LEFT JOIN endpoints e ON e.id = r.endpoint_id LEFT JOIN releases l ON l.id = r.release_id"
    " LEFT JOIN processes p ON p.id = r.process_id",
    (
        Column("id", "printf('%016x', r.id)", "as the API's `trace` takes it"),
        Column(
            "started_utc", "strftime('%Y-%m-%dT%H:%M:%fZ', r.started_at / 1e9, 'unixepoch')", "when, in UTC"
        ),
        Column("started_unix_s", "r.started_at / 1e9", "the same in Unix seconds"),
        *_WHOSE,
        Column("duration_ms", _ms("r.duration_ns"), "how long it took"),
        Column("status", "r.status", "the HTTP status; NULL for what has none"),
        Column("failed", "r.failed", "1 when it failed"),
        Column("error", "r.error", "the type of the exception"),
        Column("method", "r.method", "the HTTP method"),
        Column("path", "r.path", "the path asked for, scrubbed"),
        *_kinds("r"),
        Column("cpu_ms", _ms("r.cpu_ns"), "processor time; NULL: not known"),
        Column("queue_ms", _ms("r.queue_ns"), "waiting before it began; NULL: not known"),
        Column("first_byte_ms", _ms("r.first_byte_ns"), "until the first byte of the answer"),
        Column("kept_kb", "(r.rss_after - r.rss_before) / 1024.0", "resident memory after minus before"),
        Column("overlapped_by", "r.overlap", "how many others ran meanwhile: above 0, kept_kb may be theirs"),
        Column("queries", "r.queries", "statements it ran"),
        Column("detail_kept", "r.kept", "why its spans and samples are kept; NULL: they are not"),
        Column("context_json", "r.context", "what the application added, scrubbed; JSON"),
        Column("host", "p.host", "the machine"),
        Column("pid", "p.pid", "the process"),
    ),
)


def _state(path: str) -> str:
    return f"json_extract(p.state, '$.{path}')"


_PROCESSES = View(
    "v_processes",
    "Each process that wrote to the store, with what it last said of itself.",
    "processes p LEFT JOIN releases l ON l.id = p.release_id",
    (
        Column("host", "p.host", "the machine"),
        Column("pid", "p.pid", "its id there"),
        Column("service", "p.service", "the service"),
        Column("environment", "nullif(p.environment, '')", "as the setting says"),
        Column("release", "nullif(l.version, '')", "the application's version; NULL when it named none"),
        Column("python", "p.python", "the version of Python"),
        Column("server", "nullif(p.server, '')", "what serves it"),
        Column("started_utc", _utc("p.started_at / 1000000000"), "when it started, in UTC"),
        Column("last_seen_utc", _utc("p.last_seen / 1000000000"), "when it last wrote, in UTC"),
        Column("rss_kb", _kb("p.rss"), "resident memory then"),
        Column("recorded", _state("recorder.recorded"), "transactions recorded"),
        Column("dropped", _state("recorder.dropped"), "transactions dropped, because the queue was full"),
        Column("writer_errors", _state("writer.errors"), "batches that could not be written"),
        Column(
            "agent_cpu_share", _state("overhead.cpu_share"), "what the agent took of one processor, 0 to 1"
        ),
        Column(
            "agent_us_per_transaction", _state("overhead.per_transaction_us"), "what it took of a transaction"
        ),
    ),
)


def views() -> tuple[View, ...]:
    """All of them, in the order of docs/schema.md."""
    made = [_TRANSACTIONS]
    for make in (_endpoints, _latency, _statements, _insights):
        made += [make(seconds, span) for seconds, span in SPANS.items()]
    return (*made, _PROCESSES)
