"""Soak for R26: servers that nobody asks anything, on each kind of loop: what the agent adds to an idle process.

python tests/soak/r26_idle.py [--seconds 60]

Each server is asked once and left alone, bare and watched side by side. Ends with 1 where being watched adds more than
a tenth of a percent of a processor, or five wake-ups a second.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil

from servers import ROOT, environment, free_port, gunicorn, running, uvicorn

SITE = """
import os
import apm_agent

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]

async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

if os.environ["SITE_WATCHED"] == "1":
    app, asgi = apm_agent.wsgi(app), apm_agent.asgi(asgi)
"""
SERVERS = {
    "gevent": lambda port: gunicorn("site_:app", port, "--workers", "1", "--worker-class", "gevent"),
    "gthread": lambda port: gunicorn("site_:app", port, "--workers", "1"),
    "asyncio": lambda port: uvicorn("site_:asgi", port, "--lifespan", "off", "--loop", "asyncio"),
    "uvloop": lambda port: uvicorn("site_:asgi", port, "--lifespan", "off", "--loop", "uvloop"),
}
#: Seconds after which the writer of a process that nobody asks anything sleeps.
_ASLEEP = 8.0
#: A tenth of a percent, and a step of the clock that counts (10 ms) at either end.
_CPU, _WAKE_UPS = 0.001, 5.0


def taken(pid: int) -> tuple[float, int]:
    """Processor seconds and voluntary changes of all threads of a server and its workers."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    seconds = sum(sum(each.cpu_times()[:2]) for each in family)
    switches = 0
    for each in family:
        for thread in Path(f"/proc/{each.pid}/task").iterdir():
            told = dict(line.split(":", 1) for line in (thread / "status").read_text().splitlines())
            switches += int(told["voluntary_ctxt_switches"])
    return seconds, switches


def main() -> int:
    """All of them at once, and a line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    options, _ = parser.parse_known_args()  # the options of other soaks are not for this one
    broken = 0
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        (Path(name) / "site_.py").write_text(SITE)
        pids: dict[tuple[str, str], int] = {}
        for kind, command in SERVERS.items():
            for watched in ("0", "1"):
                port = free_port()
                env = environment(
                    PYTHONPATH=os.pathsep.join((name, str(ROOT))), SITE_WATCHED=watched,
                    APM_AGENT_STORE=f"sqlite:///{name}/{kind}.db",
                )  # fmt: skip
                program = stack.enter_context(running(command(port), port=port, env=env, cwd=name))
                urllib.request.urlopen(f"{program.url}/", timeout=20).read()
                pids[kind, watched] = program.pid
        time.sleep(_ASLEEP)
        before = {which: taken(pid) for which, pid in pids.items()}
        time.sleep(options.seconds)
        after = {which: taken(pid) for which, pid in pids.items()}
    for kind in SERVERS:
        rates = {
            watched: [
                (b - a) / options.seconds
                for a, b in zip(before[kind, watched], after[kind, watched], strict=True)
            ]
            for watched in ("0", "1")
        }
        cpu, wakes = (rates["1"][n] - rates["0"][n] for n in (0, 1))
        holds = cpu <= _CPU + 0.02 / options.seconds and wakes <= _WAKE_UPS
        broken += not holds
        print(
            f"{'ok ' if holds else 'NOT'} {kind}: {cpu * 100:+.3f} % of a processor, {wakes:+.2f} wake-ups a second"
            f" (bare {rates['0'][0] * 100:.3f} %, {rates['0'][1]:.2f})",
            flush=True,
        )
    print("All holds." if not broken else f"{broken} of this does not hold.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
