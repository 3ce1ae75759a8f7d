"""The jobs of the made-up day: receipts sent for orders, stock fetched by the clock, a few exports."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from apm_agent.model.profile import Frame
from apm_agent.model.record import FailureRecord, Record, SpanRecord

MS = 1_000_000
SECOND = 1000 * MS
#: The stock is fetched so often, and one time of the day never comes.
EVERY = 900 * SECOND
RECEIPT, STOCK, EXPORT = "shop.tasks.send_receipt", "shop.tasks.sync_stock", "shop.tasks.export_month"

_SMTP = (
    Frame("trace_task", "celery/app/trace.py", 453, "lib", "/venv/site-packages/celery/app/trace.py"),
    Frame("__protected_call__", "celery/app/trace.py", 736, "lib", "/venv/site-packages/celery/app/trace.py"),
)
_REFUSED = Frame("sendmail", "smtplib.py", 887, "std", "/usr/lib/python3.11/smtplib.py")


def jobs(
    frame: Callable[[str, int], Frame],
    quotes: Sequence[tuple[int, int]],
    begin: int,
    end: int,
    version: str,
) -> list[Record]:
    """Those of one release, between two moments; `quotes` are the requests that enqueue receipts: start and id."""
    chance = random.Random(version)
    made = [
        *_receipts(frame, quotes, end, version, chance),
        *_stock(frame, begin, end, chance),
        *_exports(frame, begin, end, chance),
    ]
    made.sort(key=lambda record: record.started_at)
    for number, record in enumerate(made):
        record.id = (record.started_at >> 20) << 21 | number
    return made


def _receipts(
    frame: Callable[[str, int], Frame],
    quotes: Sequence[tuple[int, int]],
    end: int,
    version: str,
    chance: random.Random,
) -> list[Record]:
    """A few are tried again; with the second release the mail server refuses some."""
    made = []
    for at, by in quotes:
        tries = 0
        wait = round(chance.lognormvariate(0, 1.1) * 250 * MS)
        start = at + 40 * MS + wait
        while start < end:
            again = tries < 2 and chance.random() < 0.08
            record = _job(RECEIPT, start, chance.randint(60, 240) * MS, wait)
            record.spans = [_span("http", "SMTP mail.example.com", record, frame("send_receipt", 52))]
            record.times |= {"http": record.spans[0].duration_ns}
            record.context = {
                "job": f"celery {by:032x}"[:40],
                "queue": "mail",
                "enqueued_by": format(by, "016x"),
            }
            if tries:
                record.context["retries"] = tries
            if again:
                record.context |= {"outcome": "retry", "reason": "SMTPServerDisconnected: Connection closed"}
            elif version == "1.4.0" and chance.random() < 0.05:
                place = frame("send_receipt", 52)
                record.failure = FailureRecord(
                    "smtplib.SMTPRecipientsRefused", "550 no such user", place, (*_SMTP, place, _REFUSED)
                )
                record.kept = "failed"
                record.log = [(3 * MS, "INFO", "shop.tasks", "receipt: connecting to mail.example.com")]
            made.append(record)
            if not again:
                break
            tries, wait = tries + 1, round(chance.uniform(5, 40) * MS)
            start += record.duration_ns + 60 * SECOND + wait
    return made


def _stock(frame: Callable[[str, int], Frame], begin: int, end: int, chance: random.Random) -> list[Record]:
    made = []
    for number, due in enumerate(range(begin // EVERY * EVERY + EVERY, end - 30 * SECOND, EVERY)):
        if number == 20:
            continue
        wait = chance.randint(20, 1500) * MS
        record = _job(STOCK, due + wait, chance.randint(1800, 4200) * MS, wait)
        record.spans = [_span("http", "GET stock.example.com", record, frame("sync_stock", 56))]
        record.times |= {"http": record.spans[0].duration_ns}
        record.context = {"job": f"celery stock-{due}", "queue": "default"}
        record.kept = "slow"
        made.append(record)
    return made


def _exports(frame: Callable[[str, int], Frame], begin: int, end: int, chance: random.Random) -> list[Record]:
    made = []
    for _ in range(6):
        wait = chance.randint(5, 90) * SECOND
        at = chance.randrange(begin + 100 * SECOND, max(begin + 101 * SECOND, end - 100 * SECOND))
        record = _job(EXPORT, at, chance.randint(12_000, 48_000) * MS, wait)
        record.spans = [_span("db", "SELECT orders", record, frame("export_month", 61))]
        record.times |= {"db": record.spans[0].duration_ns}
        record.context = {"job": "celery export", "queue": "slow"}
        record.kept = "slow"
        made.append(record)
    return made


def _job(name: str, start: int, duration: int, wait: int) -> Record:
    record = Record(0, "background", name, start, duration)
    record.queue_ns, record.cpu_ns = wait, duration // 8
    record.rss_before = record.rss_after = 70 * 2**20
    record.times = {"queue": wait}
    return record


def _span(kind: str, name: str, record: Record, where: Frame) -> SpanRecord:
    long = record.duration_ns * 4 // 5
    return SpanRecord(None, kind, name, 5 * MS, long, long, None, where, None, False)
