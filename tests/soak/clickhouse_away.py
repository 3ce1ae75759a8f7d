"""Soak for many machines: ClickHouse is killed under load and away for two minutes; nothing but delay comes of it.

python tests/soak/clickhouse_away.py [--away 120] [--rate 40]

Two real applications under gunicorn write down themselves what they answered, and `apm-agent ship` runs beside each of
them. One keeps its transactions as usual, the other only for `--kept` seconds, so that some are deleted before they
can be shipped: these must be counted. The engine is the current one (chdb) behind the HTTP front of the tests. Ends
with 1 on a breach.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "example_apps"))

import psutil
from load import drive

from apm_agent import __version__
from apm_agent.clickhouse import engine as engines
from apm_agent.clickhouse.address import parse
from apm_agent.errors import StoreError
from apm_agent.queries.connection import connect
from apm_agent.queries.health import health
from clickhouse_engine import close, engine
from promises import Page
from servers import PYTHON, Program, environment, free_port
from witness import Site, serving, until

#: Seconds under load before the engine goes, and after it came back.
BEFORE, AFTER = 25.0, 25.0
#: Megabytes that a shipper may grow while it has nowhere to send, and as it catches up.
GROWTH = 48.0
#: Seconds that what a shipper tells may be old while it waits: it tells when it tries.
TOLD = 35.0
#: Seconds until all of it is there once the load has ended.
PATIENCE = 180.0


class Watched:
    """An application, its shipper, and what was seen of them."""

    def __init__(self, name: str, site: Site, shipper: Program, url: str) -> None:
        self.name, self.site, self.shipper, self._url = name, site, shipper, url
        self.statuses: Counter[int] = Counter()
        self.resident: list[float] = []
        self.slowest = 0.0

    def told(self) -> dict[str, Any]:
        """What the API's health says of the shipper."""
        store = f"sqlite:///{self.site.store}"
        with connect(store) as connection:
            said = health(connection, store, __version__)["store"]["shipping"]
        found: dict[str, Any] = said[0] if said else {}
        return found

    def there(self) -> tuple[int, int]:
        """Transactions in ClickHouse, and those its minutes count."""
        server = engines.connect(parse(self._url), StoreError)
        try:
            single = server.rows("SELECT count() FROM transactions FINAL")[0][0]
            counted = server.rows("SELECT sum(count) FROM rollups FINAL WHERE resolution = 60")[0][0]
        finally:
            server.close()
        return int(single), int(counted)

    def done(self) -> bool:
        """Whether all that was answered is shipped or counted as lost."""
        said = self.told()
        return said.get("shipped", 0) + said.get("dropped", 0) == len(self.site.served())

    def look(self) -> None:
        """Note how large the shipper is."""
        self.resident.append(psutil.Process(self.shipper.pid).memory_info().rss / 2**20)


@contextmanager
def watched(name: str, folder: Path, base: str, **variables: str) -> Iterator[Watched]:
    """The application with its shipper beside it."""
    with serving(folder / name, **variables) as site:
        assert site.ask() == 200
        assert until(site.store.exists)
        url = f"{base}{name}"
        command = [PYTHON, "-m", "apm_agent", "ship", url, "--store", str(site.store), "--each", "1"]
        shipper = Program(command, environment(), folder, None)
        try:
            yield Watched(name, site, shipper, url)
        finally:
            shipper.stop()
            close(url)


def run(page: Page, apps: list[Watched], folder: Path, port: int, options: argparse.Namespace) -> None:
    """Load all the while; the engine is there, away, and there again."""
    seconds = BEFORE + options.away + AFTER
    over = threading.Event()

    def ask(app: Watched, seed: int) -> None:
        app.statuses += drive(app.site.program.url, {"/n/{n}": 1}, options.rate, seconds, seed)

    def watch() -> None:
        while not over.wait(1.0):
            for app in apps:
                app.look()

    threads = [threading.Thread(target=ask, args=(app, seed)) for seed, app in enumerate(apps)]
    threads.append(threading.Thread(target=watch))
    for thread in threads:
        thread.start()
    try:
        with engine(folder / "engine", port) as first:
            for app in apps:
                page.line(until(lambda one=app: one.told().get("shipped"), PATIENCE), f"{app.name}: it ships")
            time.sleep(BEFORE)
            sizes = [app.resident[-1] for app in apps]
            first.process.send_signal(signal.SIGKILL)
            first.process.wait()
        away(page, apps, options.away)
        back = time.monotonic()
        with engine(folder / "engine", port):
            for app in apps:
                again = until(lambda one=app: one.told().get("waiting") is None, PATIENCE)
                page.line(
                    again,
                    f"{app.name}: it goes on by itself, {time.monotonic() - back:.0f} s after the engine began",
                )
            for thread in threads[:-1]:
                thread.join()
            for app, size in zip(apps, sizes, strict=True):
                judge(page, app, size)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def away(page: Page, apps: list[Watched], seconds: float) -> None:
    """While there is no engine: told, and nobody is hurt."""
    end = time.monotonic() + seconds
    for app in apps:
        waits = until(lambda one=app: one.told().get("waiting"), min(60.0, seconds))
        page.line(waits, f"{app.name}: health says that it waits: {str(app.told().get('waiting'))[:110]}")
    time.sleep(max(0.0, end - time.monotonic()))
    for app in apps:
        said = app.told()
        page.line(
            (said.get("behind_s") or 0.0) > seconds - TOLD,
            f"{app.name}: at the end of {seconds:.0f} s health tells {said.get('shipped')} shipped,"
            f" {said.get('behind_s') or 0:.0f} s behind; {len(app.site.served())} were answered",
        )


def judge(page: Page, app: Watched, size: float) -> None:
    """What came of one application."""
    page.line(until(app.done, PATIENCE), f"{app.name}: all is shipped or counted")
    answers = ", ".join(f"{count} × {status or 'nothing'}" for status, count in sorted(app.statuses.items()))
    page.line(set(app.statuses) == {200}, f"{app.name}: answered with {answers}")
    said, served = app.told(), len(app.site.served())
    single, counted = app.there()
    page.line(
        single == said["shipped"] and said["shipped"] + said["dropped"] == served,
        f"{app.name}: of {served} answered {single} are in ClickHouse, and {said['dropped']} were deleted before they"
        " could be shipped",
    )
    page.line(counted == served, f"{app.name}: the minutes there count {counted}")
    few = (said["dropped"] > 0) is (app.name == "short")
    page.line(few, f"{app.name}: {'some' if app.name == 'short' else 'none'} should have been dropped")
    grown = max(app.resident) - size
    page.line(
        grown < GROWTH,
        f"{app.name}: the shipper had {size:.0f} MB before and at most {max(app.resident):.0f} after"
        f" (at most {GROWTH:.0f} more)",
    )
    page.line(None, f"{app.name}: the shipper said {' | '.join(app.shipper.output.splitlines()[-3:])}")


def main() -> int:
    """The run, and one page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--away", type=float, default=120.0, help="seconds without the engine (120)")
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second of each application (40)")
    parser.add_argument("--kept", type=float, default=45.0, help="seconds the second one keeps its own (45)")
    options, _ = parser.parse_known_args()  # the options of other soaks are not for this one
    page = Page()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, port = Path(name), free_port()
        base = f"clickhouse://127.0.0.1:{port}/"
        short = {"APM_AGENT_MAX_AGE": str(options.kept)}
        apps = [
            stack.enter_context(watched("usual", folder, base)),
            stack.enter_context(watched("short", folder, base, **short)),
        ]
        run(page, apps, folder, port, options)
    print("All holds." if not page.breaches else f"{page.breaches} of this does not hold.")
    return 1 if page.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
