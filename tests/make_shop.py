"""A made-up shop: its source, the faults planted in it, and what a request to each of its endpoints records."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

from apm_agent.model.callgraph import Call, Callgraph, Node
from apm_agent.model.insight import Insight
from apm_agent.model.profile import RUNNING, UNCERTAIN, WAITING, Frame
from apm_agent.model.record import FailureRecord, Record, SampleRecord, SpanRecord

MS = 1_000_000

SOURCE = '''"""A small shop."""
import db


def orders(request):
    found = db.rows("SELECT id, customer_id FROM orders LIMIT 50")
    for order in found:
        order.customer = db.row("SELECT * FROM customer WHERE id = ?", order.customer_id)
    return render("orders.html", orders=found)


def price(basket):
    total = 0
    for item in basket:
        for rule in RULES:
            total += item.price * rule.factor(item)
    return total


def quote(request):
    return {"total": price(request.basket)}


async def feed(request):
    answer = requests.get("https://api.example.com/feed")
    return answer.json()


def report(request):
    rows = db.rows("SELECT * FROM orders JOIN lines USING (order_id) WHERE created > ?", request.since)
    return render("report.html", rows=rows)


SEEN = []


def track(request):
    SEEN.append(bytearray(40_000))
    return {"ok": True}


def fail(request):
    raise ValueError("bad basket")


def nightly():
    for customer in db.rows("SELECT * FROM customer"):
        send(customer)


def send_receipt(order):
    server = smtplib.SMTP("mail.example.com")
    server.send_message(receipt(order))


def sync_stock():
    for item in requests.get("https://stock.example.com/items").json():
        db.run("UPDATE item SET left = ? WHERE id = ?", item["left"], item["id"])


def export_month(month):
    for order in db.rows("SELECT * FROM orders WHERE created >= ?", month):
        write(order)
'''

#: Endpoint → the insight that must be found in it, with its line of `SOURCE`.
FAULTS = {
    "GET /orders": ("repeated_query", 8),
    "POST /quote": ("hot_line", 16),
    "GET /feed": ("blocked_loop", 25),
    "GET /report": ("slow_query", 30),
    "POST /track": ("memory_growth", 38),
}

CUSTOMER = "SELECT * FROM customer WHERE id = ?"
ORDERS = "SELECT id, customer_id FROM orders LIMIT ?"
REPORT = "SELECT * FROM orders JOIN lines USING (order_id) WHERE created > ?"


ROOT = (
    Frame("__call__", "flask/app.py", 1536, "lib", "/venv/site-packages/flask/app.py"),
    Frame("wsgi_app", "flask/app.py", 1511, "lib", "/venv/site-packages/flask/app.py"),
    Frame("dispatch_request", "flask/app.py", 902, "lib", "/venv/site-packages/flask/app.py"),
)


class Shop:
    """Makes records of one process; a few dozen variants an endpoint, used over and over."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.path = str(folder / "shop.py")
        self.variants = {name: [make(self) for _ in range(24)] for name, make in ENDPOINTS.items()}

    def frame(self, function: str, line: int) -> Frame:
        return Frame(function, "shop.py", line, "app", self.path)

    def record(self, name: str, at: int, number: int) -> Record:
        made = self.random.choice(self.variants[name])
        record = replace(made, id=(at >> 20) << 21 | number % 2**21, started_at=at)
        slowly = math.exp(self.random.gauss(0, 0.15))
        record.duration_ns = max(record.duration_ns, round(record.duration_ns * slowly))
        if self.random.random() < 0.3:
            record.overlap = 1 + number % 3
        record.path = record.path.format(number=number % 977) if record.path else None
        record.kept = self._kept(record, number)
        if record.kept is None:
            record.callgraph = None
        return record

    def _kept(self, record: Record, number: int) -> str | None:
        if record.failed:
            return "failed"
        if record.duration_ns > 500 * MS:
            return "slow"
        if record.insights and number % 4 == 0:
            return "insight"
        return "uniform" if number % 20 == 0 else None

    def samples(
        self, frames: list[Frame], start: int, length: int, state: int = RUNNING
    ) -> list[SampleRecord]:
        interval = 10 * MS
        stack = (*ROOT, *frames)
        return [
            SampleRecord(at, min(interval, length), stack, state)
            for at in range(start + interval, start + length, interval)
        ]


def web(method: str, route: str, duration: int, view: str, **fields: object) -> Record:
    record = Record(
        0, "web", f"{method} {route}", 0, duration, method=method, path=route, view=view, status=200
    )
    record.cpu_ns, record.queue_ns, record.first_byte_ns = duration // 3, 2 * MS, duration * 9 // 10
    record.rss_before, record.rss_after = 80 * 2**20, 80 * 2**20 + 4096
    for name, value in fields.items():
        setattr(record, name, value)
    return record


def orders(shop: Shop) -> Record:
    count = 43
    each = shop.random.randint(900_000, 2_200_000)
    where = shop.frame("orders", 8)
    spans = [
        SpanRecord(
            None, "db", "SELECT orders", 2 * MS, 4 * MS, 4 * MS, ORDERS, shop.frame("orders", 6), None, False
        )
    ]
    at = 7 * MS
    for _ in range(count):
        spans.append(
            SpanRecord(None, "db", "SELECT customer", at, each, each, CUSTOMER, where, {"rows": 1}, False)
        )
        at += each + 200_000
    render = 15 * MS
    spans.append(
        SpanRecord(
            None, "template", "orders.html", at, render, render, None, shop.frame("orders", 9), None, False
        )
    )
    db = 4 * MS + count * each
    record = web("GET", "/orders", at + render + 3 * MS, "shop:orders", queries=count + 1, spans=spans)
    record.times = {"db": db, "template": render, "queue": 2 * MS}
    record.samples = [
        *shop.samples([where], 7 * MS, at - 7 * MS),
        *shop.samples(
            [shop.frame("orders", 9), Frame("render", "jinja2/environment.py", 1290, "lib", "")], at, render
        ),
    ]
    record.insights = [
        Insight("repeated_query", "43 identical queries", count * each, count, where, CUSTOMER)
    ]
    record.context = {"user": shop.random.randint(1, 50), "plan": shop.random.choice(["free", "pro"])}
    record.rss_curve = [(0, 80 * 2**20), (at, 80 * 2**20 + 2**18)]
    return record


def quote(shop: Shop) -> Record:
    duration = shop.random.randint(60, 260) * MS
    hot, outer = shop.frame("price", 16), shop.frame("quote", 21)
    record = web(
        "POST", "/quote", duration, "shop:quote", times={"gc": 3 * MS}, gc_pauses=[(5 * MS, 3 * MS, 2)]
    )
    busy = duration * 88 // 100
    record.samples = [
        *shop.samples([outer, hot], 0, busy),
        *shop.samples([outer, shop.frame("price", 15)], busy, duration - busy, UNCERTAIN),
    ]
    record.insights = [Insight("hot_line", "80 % of the time in price()", busy, 1, hot)]
    graph = Callgraph()
    view, line = Node(shop.path, 20, "quote"), Node(shop.path, 12, "price")
    graph.functions = {view: Call(1, 1, MS, duration), line: Call(1, 1, duration - MS, duration - MS)}
    graph.callers = {line: {view: Call(1, 1, duration - MS, duration - MS)}}
    record.callgraph = graph
    return record


def feed(shop: Shop) -> Record:
    wait = shop.random.randint(120, 320) * MS
    where = shop.frame("feed", 25)
    span = SpanRecord(
        None, "http", "GET api.example.com", 2 * MS, wait, wait, None, where, {"status": 200}, False
    )
    record = web("GET", "/feed", wait + 5 * MS, "shop:feed", spans=[span], times={"http": wait})
    record.samples = [*shop.samples([where], 2 * MS, wait), *shop.samples([where], wait, 20 * MS, WAITING)]
    record.insights = [
        Insight("blocked_loop", "blocks the event loop", wait, 1, where),
        Insight("slow_upstream", "waits for api.example.com", wait, 1, where),
    ]
    return record


def report(shop: Shop) -> Record:
    long = shop.random.randint(250, 900) * MS
    where = shop.frame("report", 30)
    # As SQLite tells it: most of the time is spent reading.
    tags = {"rows": 5000, "first_row_ns": 2 * MS, "fetch_ns": long - 2 * MS}
    span = SpanRecord(None, "db", "SELECT orders", 3 * MS, long, long, REPORT, where, tags, False)
    record = web("GET", "/report", long + 40 * MS, "shop:report", queries=1, spans=[span])
    record.times = {"db": long, "template": 30 * MS}
    record.samples = shop.samples([where], 3 * MS, long)
    record.insights = [Insight("slow_query", "one query takes long", long, 1, where, REPORT)]
    return record


def track(shop: Shop) -> Record:
    record = web("POST", "/track", shop.random.randint(1, 4) * MS, "shop:track")
    record.rss_after = (record.rss_before or 0) + 1_250_000
    where = shop.frame("track", 38)
    record.insights = [Insight("memory_growth", "keeps memory", 0, 1, where, None, 1_250_000)]
    return record


def fail(shop: Shop) -> Record:
    record = web(
        "GET", "/basket/<int:id>", shop.random.randint(2, 30) * MS, "shop:fail", path="/basket/{number}"
    )
    if shop.random.random() < 0.5:
        record.status = 500
        raised = shop.frame("fail", 43)
        record.failure = FailureRecord("ValueError", "bad basket", raised, (*ROOT, raised))
        record.log = [
            (MS, "INFO", "shop", "basket opened"),
            (2 * MS, "WARNING", "shop", "basket is not valid"),
        ]
    return record


def home(shop: Shop) -> Record:
    return web("GET", "/", shop.random.randint(1, 9) * MS, "shop:home", times={"cache": 200_000})


def nightly(shop: Shop) -> Record:
    record = Record(0, "background", "nightly", 0, shop.random.randint(2000, 4000) * MS)
    record.times = {"db": record.duration_ns // 2, "wait": record.duration_ns // 10}
    where = shop.frame("nightly", 47)
    record.samples = shop.samples([where], 0, record.duration_ns)
    return record


def socket(shop: Shop) -> Record:
    return Record(0, "websocket", "WS /live", 0, shop.random.randint(60, 600) * 1000 * MS, path="/live")


ENDPOINTS = {
    "GET /orders": orders, "POST /quote": quote, "GET /feed": feed, "GET /report": report,
    "POST /track": track,
    "GET /basket/<int:id>": fail, "GET /": home, "nightly": nightly, "WS /live": socket,
}  # fmt: skip
#: How often each is called, beside the others.
OFTEN = {"GET /orders": 30, "POST /quote": 14, "GET /feed": 8, "GET /report": 2, "POST /track": 12,
          "GET /basket/<int:id>": 10, "GET /": 24, "nightly": 0.3, "WS /live": 0.2}  # fmt: skip
