"""Throughput and p99 under real servers, bare and watched by turns: `python benchmarks/peers/serving.py`.

Flask and Django run under gunicorn (one worker, four threads), Starlette under uvicorn, on one core of their own where
there are two; wrk calls each view over eight connections as fast as it is answered. So what a peer's threads do beside
the requests costs throughput here, as it does in a worker of yours. wrk is Debian's package `wrk` (apt-get install wrk)
or Homebrew's. `--write` puts the table into docs/overhead.md, as `python benchmarks/peers --write` does afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rooms
from apps import ASGI, FRAMEWORKS, PATHS
from collector import Collector

HERE = Path(__file__).resolve().parent
_FILE = rooms.ROOMS / "served.json"
_TITLE = "## Under gunicorn and uvicorn"
_CONNECTIONS = 8
#: Bytes that a request must have brought to the collector, at the least, to count as collected.
_LEAST_BYTES = 20
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


class Rate(NamedTuple):
    """What wrk saw: requests a second, and the 99th percentile in ms."""

    per_s: float
    p99_ms: float
    requests: int = 0


class Turns(NamedTuple):
    """How often each is called, and for how many seconds."""

    rounds: int
    seconds: int


Both = dict[str, dict[str, Rate]]
#: (peer's title, framework) → view → bare or watched → medians; or why there are none.
Results = dict[tuple[str, str], Both | str]


def measure(python: str, framework: str, peer: ModuleType, turns: Turns, folder: Path) -> Both:
    """Every view; raises RuntimeError where the peer collected next to nothing, or an answer was none."""
    collector = Collector()
    name = peer.__name__.rpartition(".")[2]
    (folder / "watched").mkdir()
    (folder / "bare").mkdir()
    env = peer.environment(collector.port, collector.core_port, str(folder / "watched"))
    found: Both = {}
    sent = 0
    with (
        _serving(python, framework, "bare", folder / "bare", {}) as bare,
        _serving(python, framework, name, folder / "watched", env) as watched,
    ):
        addresses = {"bare": bare, "watched": watched}
        for view, path in PATHS.items():
            seen: dict[str, list[Rate]] = {who: [] for who in addresses}
            for address in addresses.values():
                _wrk(address + path, 1)
            for number in range(turns.rounds):
                for who in ("bare", "watched") if number % 2 else ("watched", "bare"):
                    seen[who].append(_wrk(addresses[who] + path, turns.seconds))
            sent += sum(each.requests for each in seen["watched"])
            found[view] = {who: _median(rates) for who, rates in seen.items()}
        kept = urllib.request.urlopen(f"{watched}/kept", timeout=60).read()
    collected = int(kept) if kept else collector.bytes / _LEAST_BYTES
    # Some throw away what comes faster than they can send; one that collects nothing has cost nothing.
    if collected < sent * 0.1:
        raise RuntimeError(f"{peer.TITLE} collected {collected:.0f} of {sent} requests: not measured")
    return found


@contextlib.contextmanager
def _serving(python: str, framework: str, peer: str, folder: Path, env: dict[str, str]) -> Iterator[str]:
    """The server of one application; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if framework in ASGI:
        server = [
            "uvicorn",
            "--app-dir",
            str(HERE),
            "--port",
            str(port),
            "--log-level",
            "warning",
            "served:app",
        ]
    else:
        server = [
            "gunicorn", "--worker-class", "gthread", "--threads", "4", "--bind", f"127.0.0.1:{port}", "--log-level",
            "warning", "--pythonpath", str(HERE), "served:app",
        ]  # fmt: skip
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [*_on(0), python, "-m", *server], cwd=folder, stdout=said, stderr=said,
            env={**os.environ, **env, "BENCH_FRAMEWORK": framework, "BENCH_PEER": peer},
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
        while not _answers(address + PATHS["trivial"]):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(
                    f"{peer} does not serve {framework}: {(folder / 'said').read_text()[-1500:]}"
                )
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(url, timeout=5).status == 200)
    return False


def _wrk(url: str, seconds: int) -> Rate:
    command = [
        *_on(1),
        "wrk",
        "--threads",
        "1",
        "--connections",
        str(_CONNECTIONS),
        "--duration",
        f"{seconds}s",
    ]
    said = subprocess.run([*command, "--latency", url], capture_output=True, text=True, check=True).stdout
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    rate, p99 = re.search(r"Requests/sec: +([\d.]+)", said), re.search(r"99% +([\d.]+)([a-z]+)", said)
    count = re.search(r"(\d+) requests in", said)
    if wrong or rate is None or p99 is None or count is None:
        raise RuntimeError(f"wrk at {url} said:\n{said}")
    return Rate(float(rate[1]), float(p99[1]) * _UNITS[p99[2]], int(count[1]))


def _on(core: int) -> list[str]:
    """Servers and who calls them, apart."""
    return ["taskset", "-c", str(core)] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []


def _median(rates: list[Rate]) -> Rate:
    return Rate(
        statistics.median(each.per_s for each in rates), statistics.median(each.p99_ms for each in rates)
    )


def load() -> Results:
    """What was measured before."""
    if not _FILE.exists():
        return {}
    return {
        (title, framework): one
        if isinstance(one, str)
        else {view: {who: Rate(*rate) for who, rate in both.items()} for view, both in one.items()}
        for title, framework, one in json.loads(_FILE.read_text("utf-8"))
    }


def save(found: Results) -> None:
    """Keep it."""
    _FILE.write_text(json.dumps([(*key, one) for key, one in found.items()], indent=1), "utf-8")


def section(found: Results) -> str:
    """The tables, as Markdown; nothing where nothing was measured."""
    if not found:
        return ""
    lines = [
        f"\n{_TITLE}\n",
        "`python benchmarks/peers/serving.py`: requests a second that wrk got answered over eight connections, and the",
        "99th percentile of their time, by turns with the bare application; one worker on one core. Less than 100 % is",
        "what the peer takes of that core, its own threads included.",
    ]
    for framework in FRAMEWORKS:
        rows = {title: one for (title, its), one in found.items() if its == framework}
        if rows:
            lines += ["", f"### {framework.capitalize()}", ""]
            lines.append(
                "| | " + " | ".join(f"{view}: of bare | req/s | p99 ms (bare)" for view in PATHS) + " |"
            )
            lines.append("|---|" + "--:|" * 3 * len(PATHS))
            lines += [f"| {title} | {_cells(one)} |" for title, one in rows.items()]
    return "\n".join(lines) + "\n"


def _cells(one: Both | str) -> str:
    if isinstance(one, str):
        return f"not measured: {one.splitlines()[0][:150]}"
    cells = []
    for both in one.values():
        bare, watched = both["bare"], both["watched"]
        cells += [
            f"{watched.per_s / bare.per_s:.0%}", f"{watched.per_s:,.0f}", f"{watched.p99_ms:.1f} ({bare.p99_ms:.1f})",
        ]  # fmt: skip
    return " | ".join(cells)


def main() -> int:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each call of wrk")
    parser.add_argument("--peer", choices=rooms.PEERS, action="append")
    parser.add_argument("--framework", choices=FRAMEWORKS, action="append")
    parser.add_argument("--write", action="store_true", help="into docs/overhead.md")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        print(
            "serving: there is no wrk here; cure: apt-get install wrk, or brew install wrk", file=sys.stderr
        )
        return 2
    found = load() if options.write else {}
    for name in options.peer or rooms.PEERS:
        peer = importlib.import_module(f"watch.{name}")
        python = rooms.python(peer)
        rooms.servers(python)
        for framework in options.framework or FRAMEWORKS:
            if framework in peer.FRAMEWORKS:
                found[peer.TITLE, framework] = _measured(python, framework, peer, options)
                print(
                    f"{peer.TITLE}, {framework}: {found[peer.TITLE, framework]}", file=sys.stderr, flush=True
                )
    print(section(found))
    if options.write:
        save(found)
        page = rooms.ROOT / "docs" / "overhead.md"
        page.write_text(page.read_text("utf-8").partition(f"\n{_TITLE}\n")[0] + section(found), "utf-8")
    return 1 if any(isinstance(each, str) for each in found.values()) else 0


def _measured(python: str, framework: str, peer: ModuleType, options: argparse.Namespace) -> Both | str:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            return measure(python, framework, peer, Turns(options.rounds, options.seconds), Path(folder))
        except RuntimeError as error:
            return str(error)


if __name__ == "__main__":
    sys.exit(main())
