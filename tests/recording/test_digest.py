"""A transaction becomes a record: bounded, scrubbed, named, with times that are true."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apm_agent.clock import Clock
from apm_agent.config import Config
from apm_agent.insights import INSIGHTS
from apm_agent.model.blocking import Culprit, Held, charge
from apm_agent.model.origin import Origin
from apm_agent.model.profile import RUNNING, WAITING, Sample, Wait
from apm_agent.model.record import BlockingRecord, Record
from apm_agent.model.span import Span
from apm_agent.model.transaction import Failure, Pause, Transaction
from apm_agent.recording.digest import OTHER, Digest
from records import rows

SECOND = 10**9


def digest(clock: Clock | None = None, **settings_: Any) -> Digest:
    return Digest(
        Config(**settings_),
        Origin(),
        INSIGHTS,
        clock or Clock(lambda: 90 * SECOND, lambda: 1_790_000_000 * SECOND),
    )


def transaction(name: str = "GET /orders", start: int = 80 * SECOND, ns: int = SECOND) -> Transaction:
    made = Transaction("web", name, start)
    made.end_ns, made.ended = start + ns, True
    return made


#: a stack of one frame
PLACE = (transaction.__code__, 0)


def add_span(of: Transaction, kind: str, begin: int, end: int, parent: Span | None = None) -> Span:
    span = Span(of, parent, kind, "name", of.start_ns + begin)
    span.end_ns = of.start_ns + end if end else 0
    of.spans.append(span)
    return span


def test_r42_when_comes_from_the_wall_and_how_long_from_the_monotonic_clock() -> None:
    wall = [1_790_000_000 * SECOND]
    made = digest(Clock(lambda: 90 * SECOND, lambda: wall[0]))
    first = made.digest(transaction(ns=3 * SECOND))
    assert first.started_at == 1_789_999_990 * SECOND
    wall[0] -= 86_400 * SECOND  # the wall clock is set back a day
    second = made.digest(transaction(ns=3 * SECOND))
    assert second.started_at == first.started_at - 86_400 * SECOND
    assert first.duration_ns == second.duration_ns == 3 * SECOND
    wall[0] = -5
    assert made.digest(transaction()).id >= 0


def test_ids_sort_by_start_and_differ() -> None:
    made = digest()
    ids = [made.digest(transaction(start=(10 + n) * SECOND)).id for n in range(500)]
    assert ids == sorted(set(ids))
    assert all(0 < each < 2**63 for each in ids)
    # Of one moment they differ by what is drawn; that two draw the same is seen to where they are written.
    assert len({made.digest(transaction(start=10 * SECOND)).id for _ in range(50)}) >= 48


def test_spans_keep_parents_own_times_and_places() -> None:
    of = transaction()
    outer = add_span(of, "template", 0, 500)
    inner = add_span(of, "db", 100, 200, outer)
    inner.statement = "SELECT * FROM customer WHERE name = 'Ann'"
    inner.place = (test_spans_keep_parents_own_times_and_places.__code__, 0)
    inner.tags = {"rows": 3, "password": "hunter2"}
    add_span(of, "http", 300, 0, outer)
    made = digest().digest(of)
    assert [(s.parent, s.kind, s.offset_ns, s.duration_ns, s.open) for s in made.spans] == [
        (None, "template", 0, 500, False),
        (0, "db", 100, 100, False),
        (0, "http", 300, SECOND - 300, True),
    ]
    assert made.spans[0].self_ns == 200
    assert made.spans[1].statement == "SELECT * FROM customer WHERE name = ?"
    assert made.spans[1].name == "SELECT customer"
    assert made.spans[1].where is not None
    assert made.spans[1].where.function == "test_spans_keep_parents_own_times_and_places"
    assert made.spans[1].tags == {"rows": 3, "password": "[scrubbed]"}
    assert made.queries == 1
    assert sum(made.times.values()) == SECOND


def test_spans_below_a_summed_one_belong_to_its_nearest_kept_parent() -> None:
    of = transaction()
    kept = add_span(of, "code", 0, 900)
    lost = Span(of, kept, "code", "lost", of.start_ns + 10)
    add_span(of, "db", 20, 30, lost).statement = "SELECT 1"
    of.overflow = {("db", ""): [7, 100], ("db", "COMMIT"): [3, 10], ("code", "work"): [2, 50]}
    made = digest().digest(of)
    assert made.spans[1].parent == 0
    assert made.queries == 8
    assert made.lost == [("db", "statements", 7, 100), ("db", "COMMIT", 3, 10), ("code", "work", 2, 50)]
    assert made.times == {"db": 120, "python": SECOND - 120}


def test_samples_pauses_queue_and_failure() -> None:
    of = transaction()
    code = digest.__code__
    of.samples = [Sample(of.start_ns + 5, 10, (code, 0), RUNNING)]
    of.weights = {((code, 0), WAITING): 70}
    of.gc_pauses = [Pause(of.start_ns + 100, 50, 2)]
    of.queue_ns = 700
    of.failure = Failure("ValueError", "no", (code, 0), ((code, 0), (code, 2)))
    of.rss_curve = [(of.start_ns + 9, 4096)]
    made = digest().digest(of)
    [sample] = made.samples
    assert (sample.offset_ns, sample.weight_ns, sample.stack[0].function) == (5, 10, "digest")
    assert made.weights == {(sample.stack, WAITING): 70}
    assert made.gc_pauses == [(100, 50, 2)]
    assert made.times == {"python": SECOND - 50, "gc": 50, "queue": 700}
    assert made.failure is not None
    assert made.failure.where == sample.stack[0]
    assert [frame.function for frame in made.failure.stack] == ["digest", "digest"]
    assert made.rss_curve == [(9, 4096)]
    assert made.failed
    assert made.kept == "failed"


def test_one_stack_is_one_object() -> None:
    of, other = transaction(), transaction()
    code = digest.__code__
    of.samples = [Sample(of.start_ns, 1, (code, 0), RUNNING), Sample(of.start_ns, 1, (code, 0), RUNNING)]
    other.samples = [Sample(of.start_ns, 1, (code, 0), RUNNING)]
    made = digest()
    first, second = made.digest(of), made.digest(other)
    assert first.samples[0].stack is first.samples[1].stack is second.samples[0].stack


def test_r31_names_without_end_share_one() -> None:
    made = digest()
    names = {made.digest(transaction(f"GET /{n}")).name for n in range(5_000)}
    assert len(names) == 1001
    assert OTHER in names


HOSTILE = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        ["\x00", "\ud800broken", "<script>alert(1)</script>", "\u202egpj.exe", "A" * 1_000_000, ""]
    ),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.tuples(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE), status=st.integers())
def test_r39_whatever_comes_is_bounded_and_kept(
    make_line: Callable[..., Any], texts: tuple[str, ...], status: int
) -> None:
    name, path, key, value, sql = texts
    line = make_line()
    of = line.request(name, queries=1)
    of.path, of.view, of.method, of.status = path, name, value, status
    of.context = {key: value, "list": [value], "number": 10**400, "nan": float("nan")}
    of.spans[0].statement = sql
    of.spans[0].tags = {key: value}
    of.failure = Failure(name, value[:500], None)
    assert line.writer.flush(10)
    assert line.writer.carrier.lost == 0
    line.writer.close()
    [(found_path, context)] = rows(
        line.path, "SELECT path, context FROM transactions ORDER BY id DESC LIMIT 1"
    )
    assert len(found_path) <= 500
    assert len(context) <= 4000
    json.loads(context)
    for (text,) in rows(line.path, "SELECT name FROM endpoints"):
        assert len(text) <= 200
        assert "\x00" not in text
    assert line.path.stat().st_size < 3_000_000


def test_r32_no_secret_reaches_the_file(make_line: Callable[..., Any]) -> None:
    line = make_line()
    of = line.request("GET /orders", queries=1)
    canary = "canary7c0ffee5ecret1234567890"
    of.path = f"/reset/{canary}"
    of.context = {"api_key": canary, "note": canary, "object": object()}
    of.spans[0].statement = f"SELECT * FROM account WHERE token = '{canary}' AND note = \"{canary}\""
    of.spans[0].tags = {"authorization": canary}
    assert line.writer.flush(5)
    line.writer.close()
    import zlib

    kept = line.path.read_bytes() + b"".join(
        zlib.decompress(data) for (data,) in rows(line.path, "SELECT data FROM traces")
    )
    assert b"/reset/" in kept
    assert canary.encode() not in kept


def test_r22_two_thousand_spans_are_linear() -> None:
    of = transaction(ns=10 * SECOND)
    for n in range(2_000):
        add_span(of, "db", n * 1_000, n * 1_000 + 500).statement = f"SELECT {n}"
    made: Record = digest().digest(of)
    assert made.times["db"] == 2_000 * 500
    assert len(made.spans) == 2_000


def test_waits_take_their_place_among_samples_and_never_more_than_there_was() -> None:
    of = transaction(ns=SECOND)
    of.samples = [Sample(of.start_ns + 300_000_000, 300_000_000, PLACE, RUNNING)]
    of.waits = [
        Wait(of.start_ns + 200_000_000, 400_000_000, PLACE),
        Wait(of.start_ns + 900_000_000, 600_000_000, PLACE),
    ]
    made = digest().digest(of)
    assert [(s.offset_ns, s.weight_ns, s.state) for s in made.samples] == [
        (200_000_000, 100_000_000, WAITING),
        (300_000_000, 300_000_000, RUNNING),
        (900_000_000, 600_000_000, WAITING),
    ]


def test_the_one_look_at_a_short_transaction_stands_for_those_no_look_fell_into() -> None:
    ms = 1_000_000
    short, awaiting, longer = transaction(ns=ms), transaction(ns=ms), transaction(ns=12 * ms)
    short.samples = [Sample(short.start_ns + ms // 2, 10 * ms, PLACE, RUNNING)]
    awaiting.waits = [Wait(awaiting.start_ns + ms // 2, 10 * ms, PLACE)]
    longer.samples = [
        Sample(longer.start_ns + ms, 15 * ms, PLACE, RUNNING),
        Sample(longer.start_ns + 11 * ms, 10 * ms, PLACE, RUNNING),
    ]
    for of, beyond in ((short, 9 * ms), (awaiting, 9 * ms), (longer, 0)):
        made = digest().digest(of)
        assert made.beyond_ns == beyond
        assert all(sample.weight_ns <= made.duration_ns for sample in made.samples)


def test_who_held_the_loop_is_told_on_both_sides() -> None:
    slow, fast = transaction("GET /slow"), transaction("GET /fast")
    slow.blocking = Culprit(slow)
    held = Held(slow.blocking, PLACE)
    for _ in range(3):
        charge(fast, held, 50_000_000, 1_000_000)
    charge(fast, Held(Culprit(None), PLACE), 20_000_000)
    slow.blocking.settle(slow.end_ns)
    made = digest()
    written = made.digest(slow)
    assert written.blocking == BlockingRecord(1, 150_000_000, 3_000_000)
    waited = made.digest(fast)
    assert [(b.name, b.record_id, b.ns, b.maybe_ns) for b in waited.blocked] == [
        ("GET /slow", written.id, 150_000_000, 3_000_000),
        ("(no transaction)", None, 20_000_000, 0),
    ]
    assert waited.blocked[0].where is not None
    assert waited.blocked[0].where.function == "transaction"
    assert [each.kind for each in waited.insights] == ["blocked_by"]
