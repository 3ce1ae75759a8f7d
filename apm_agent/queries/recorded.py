"""One transaction as it was recorded: its spans, samples and pauses in the order in which they happened."""

from __future__ import annotations

from apm_agent.model.record import Record, SampleRecord, SpanRecord
from apm_agent.queries import detail, names
from apm_agent.queries.connection import Connection

_COLUMNS = (
    "x.id, e.kind, e.name, x.started_at, x.duration_ns, x.method, x.path, x.status, x.cpu_ns, x.queue_ns"
)


def record(connection: Connection, number: int) -> Record | None:
    """The transaction with its detail; None where that was not kept."""
    row = connection.row(
        f"SELECT {_COLUMNS}, t.data FROM transactions x JOIN traces t ON t.transaction_id = x.id"
        " LEFT JOIN endpoints e ON e.id = x.endpoint_id WHERE x.id = ?",
        (number,),
    )
    if row is None:
        return None
    document = detail.unpack(row[-1])
    spans, samples = document.get("spans") or (), document.get("samples") or ()
    weights = document.get("weights") or ()
    frames = names.frames(connection, {span[7] for span in spans if span[7]})
    texts = names.statements(connection, {span[6] for span in spans if span[6]})
    stacks = names.stacks(connection, {each[2] for each in samples} | {each[0] for each in weights})
    unknown = (names.UNKNOWN,)
    made = Record(
        row[0], row[1] or "web", row[2] or "(forgotten)", row[3], row[4], method=row[5], path=row[6]
    )
    made.status, made.cpu_ns, made.queue_ns = row[7], row[8], row[9]
    made.spans = [
        SpanRecord(
            parent, kind, name, at, ns, own, texts.get(text), frames.get(where), tags, bool(still_open)
        )
        for parent, kind, name, at, ns, own, text, where, tags, still_open in spans
    ]
    made.samples = [
        SampleRecord(at, ns, stacks.get(key, unknown), state, cpu)
        for (at, ns, key, state), cpu in zip(samples, detail.clocked(document), strict=True)
    ]
    for (key, state, ns), (cpu, clocked) in zip(weights, detail.summed(document), strict=True):
        place = (stacks.get(key, unknown), state)
        made.weights[place] = made.weights.get(place, 0) + ns
        sums = made.clocked.setdefault(place, [0, 0])
        sums[0] += cpu
        sums[1] += clocked
    made.lost_samples = document.get("lost_samples") or 0
    made.gc_pauses = [(at, ns, generation) for at, ns, generation in document.get("gc") or ()]
    made.rss_curve = [(at, size) for at, size in document.get("rss") or ()]
    return made
