"""The tables of the store, as named additive migrations.

The schema belongs to sqlite-utils: `migrate` runs its `Migrations` on a file of an older schema, inside our own
``BEGIN IMMEDIATE``, so that many processes may start at once; a new file is made as they would make it.
`PRAGMA user_version` equals `VERSION` on a current file; a worker that sees that never imports sqlite-utils.

Words: times are Unix nanoseconds (`started_at`), rollup times `t` are Unix seconds of the window's start,
durations nanoseconds, sizes bytes. Ids of statements, frames and stacks are 63-bit hashes of their content,
the same on every machine. A transaction's id is 63 bits, its start (in units of 2^20 ns) above 21 random
bits: new rows go to the end of the table, not to a random page each.

In `profiles`, `clocked_ns` is the part of `weight_ns` whose processor time is known, and `cpu_ns` that time; of the
rest, as of all rows older than these columns, it is not known.

The fourth migration makes the views of `store.views`; they hold nothing. The fifth is an index of the failed alone:
few rows, which the pages of errors would otherwise look for among all of a week. The sixth is an index of the ids
of `traces` alone: to count details by the table is to read them all, and this is a hundredth of them.

Ids 0 in `statement_id` and `frame_id` mean none. `traces.data` is what `store.detail` packs; `context` is
JSON.
"""

from __future__ import annotations

VERSION = 6

#: Seconds of the three rollup levels: minute, hour, day. Profiles are kept by ten minutes, hour and day.
ROLLUPS = (60, 3600, 86400)
PROFILES = (600, 3600, 86400)

FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE endpoints (
  id INTEGER PRIMARY KEY, service TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, view TEXT,
  UNIQUE (service, kind, name));
CREATE TABLE releases (
  id INTEGER PRIMARY KEY, service TEXT NOT NULL, version TEXT NOT NULL, first_seen INTEGER NOT NULL,
  UNIQUE (service, version));
CREATE TABLE processes (
  id INTEGER PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, started_at INTEGER NOT NULL,
  service TEXT NOT NULL, environment TEXT NOT NULL, release_id INTEGER NOT NULL, python TEXT NOT NULL,
  server TEXT NOT NULL, app_root TEXT NOT NULL, last_seen INTEGER NOT NULL, rss INTEGER, state TEXT,
  UNIQUE (host, pid, started_at));
CREATE TABLE statements (id INTEGER PRIMARY KEY, text TEXT NOT NULL, day INTEGER NOT NULL);
CREATE TABLE frames (
  id INTEGER PRIMARY KEY, function TEXT NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL,
  category TEXT NOT NULL, path TEXT NOT NULL, day INTEGER NOT NULL);
CREATE TABLE stacks (id INTEGER PRIMARY KEY, frames BLOB NOT NULL, day INTEGER NOT NULL);
CREATE TABLE transactions (
  id INTEGER PRIMARY KEY, endpoint_id INTEGER NOT NULL, release_id INTEGER NOT NULL,
  process_id INTEGER NOT NULL,
  started_at INTEGER NOT NULL, duration_ns INTEGER NOT NULL, status INTEGER, failed INTEGER NOT NULL,
  error TEXT, method TEXT, path TEXT, cpu_ns INTEGER, queue_ns INTEGER, first_byte_ns INTEGER,
  rss_before INTEGER, rss_after INTEGER, overlap INTEGER NOT NULL, queries INTEGER NOT NULL,
  db_ns INTEGER NOT NULL, http_ns INTEGER NOT NULL, template_ns INTEGER NOT NULL, cache_ns INTEGER NOT NULL,
  wait_ns INTEGER NOT NULL, gc_ns INTEGER NOT NULL, kept TEXT, share REAL NOT NULL, context TEXT);
CREATE INDEX transactions_endpoint ON transactions (endpoint_id, started_at);
CREATE INDEX transactions_started ON transactions (started_at);
CREATE TABLE traces (transaction_id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE rollups (
  resolution INTEGER NOT NULL, t INTEGER NOT NULL, endpoint_id INTEGER NOT NULL,
  release_id INTEGER NOT NULL,
  count INTEGER NOT NULL, errors INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
  duration_max_ns INTEGER NOT NULL,
  cpu_ns INTEGER NOT NULL, cpu_count INTEGER NOT NULL, queue_ns INTEGER NOT NULL,
  queue_count INTEGER NOT NULL,
  rss_bytes INTEGER NOT NULL, rss_count INTEGER NOT NULL, queries INTEGER NOT NULL,
  db_ns INTEGER NOT NULL, http_ns INTEGER NOT NULL, template_ns INTEGER NOT NULL, cache_ns INTEGER NOT NULL,
  wait_ns INTEGER NOT NULL, gc_ns INTEGER NOT NULL, histogram BLOB NOT NULL,
  PRIMARY KEY (resolution, t, endpoint_id, release_id)) WITHOUT ROWID;
CREATE TABLE statement_rollups (
  resolution INTEGER NOT NULL, t INTEGER NOT NULL, endpoint_id INTEGER NOT NULL,
  release_id INTEGER NOT NULL,
  statement_id INTEGER NOT NULL, frame_id INTEGER NOT NULL,
  count INTEGER NOT NULL, duration_ns INTEGER NOT NULL, duration_max_ns INTEGER NOT NULL,
  transactions INTEGER NOT NULL,
  PRIMARY KEY (resolution, t, endpoint_id, release_id, statement_id, frame_id)) WITHOUT ROWID;
CREATE TABLE insight_rollups (
  resolution INTEGER NOT NULL, t INTEGER NOT NULL, endpoint_id INTEGER NOT NULL,
  release_id INTEGER NOT NULL,
  kind TEXT NOT NULL, statement_id INTEGER NOT NULL, frame_id INTEGER NOT NULL,
  transactions INTEGER NOT NULL, count INTEGER NOT NULL, count_max INTEGER NOT NULL,
  cost_ns INTEGER NOT NULL,
  cost_max_ns INTEGER NOT NULL, cost_bytes INTEGER NOT NULL, text TEXT NOT NULL,
  transaction_id INTEGER NOT NULL,
  PRIMARY KEY (resolution, t, endpoint_id, release_id, kind, statement_id, frame_id)) WITHOUT ROWID;
CREATE TABLE profiles (
  resolution INTEGER NOT NULL, t INTEGER NOT NULL, endpoint_id INTEGER NOT NULL,
  release_id INTEGER NOT NULL,
  stack_id INTEGER NOT NULL, state INTEGER NOT NULL, count INTEGER NOT NULL, weight_ns INTEGER NOT NULL,
  PRIMARY KEY (resolution, t, endpoint_id, release_id, stack_id, state)) WITHOUT ROWID;
CREATE TABLE leases (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
"""

#: The second migration.
CLOCKED = """
ALTER TABLE profiles ADD COLUMN cpu_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE profiles ADD COLUMN clocked_ns INTEGER NOT NULL DEFAULT 0;
"""

#: The third: plans that somebody asked for, which the dashboard writes. `at` is Unix ns, `steps` JSON.
PLANNED = """
CREATE TABLE plans (
  id INTEGER PRIMARY KEY, statement_id INTEGER NOT NULL, release TEXT NOT NULL, database TEXT NOT NULL,
  at INTEGER NOT NULL, server TEXT NOT NULL, steps TEXT NOT NULL, note TEXT NOT NULL);
CREATE INDEX plans_statement ON plans (statement_id, at);
"""

#: The fifth.
FAILED = "CREATE INDEX transactions_failed ON transactions (started_at) WHERE failed = 1"

#: The sixth.
COUNTED = "CREATE INDEX traces_ids ON traces (transaction_id)"
