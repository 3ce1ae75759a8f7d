"""Calls one of the example apps at a fixed rate, the same calls in the same order for the same seed.

    python load.py shop http://127.0.0.1:8001 --rate 6 --seconds 15

The calls start on time whether or not earlier ones were answered, as real users do.
"""

from __future__ import annotations

import argparse
import http.client
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

#: app → paths and how often each is called; `{n}` becomes a number from 1 to 20.
PLANS: dict[str, dict[str, int]] = {
    "shop": {
        "/": 6, "/orders": 5, "/orders/{n}": 5, "/report": 3, "/products/{n}/price": 4, "/recommended": 6,
        "/orders.csv": 2, "/checkout/{n}": 2, "/nowhere/{n}": 1,
    },
    "feed": {
        "/": 6, "/stories/{n}": 6, "/ranking": 4, "/timeline/ann{n}": 5, "/digest": 2, "/weather/oslo": 3,
        "/events": 2, "/archive": 2,
    },
    "notes": {"/": 6, "/authors/": 5, "/calendar/": 3, "/notes/{n}/": 5, "/export.csv": 2, "/pulse/": 3},
}  # fmt: skip
_MOST_AT_ONCE = 32
_TIMEOUT = 20.0


def call(host: str, port: int, path: str) -> int:
    """Makes one call and reads the whole answer; 0 when there was none."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException) as error:
        print(f"{path}: {error!r}", file=sys.stderr)
        return 0
    finally:
        connection.close()


def paths(plan: dict[str, int], seed: int):
    """The calls to make, without end."""
    chance = random.Random(seed)
    while True:
        # Each path comes as often as it should in every round; only the order is drawn.
        round_ = [path for path, weight in plan.items() for _ in range(weight)]
        chance.shuffle(round_)
        for path in round_:
            yield path.format(n=chance.randint(1, 20))


def drive(base: str, plan: dict[str, int], rate: float, seconds: float, seed: int) -> Counter[int]:
    """Calls `base` for so many seconds (0: until interrupted); how often each status came back."""
    parts = urlsplit(base)
    statuses: Counter[int] = Counter()
    lock = threading.Lock()

    def one(path: str) -> None:
        status = call(parts.hostname or "127.0.0.1", parts.port or 80, path)
        with lock:
            statuses[status] += 1

    started = time.monotonic()
    with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
        try:
            for number, path in enumerate(paths(plan, seed)):
                due = started + number / rate
                if seconds and due - started >= seconds:
                    break
                time.sleep(max(0.0, due - time.monotonic()))
                pool.submit(one, path)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
    return statuses


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("plan", choices=PLANS)
    options.add_argument("base", help="like http://127.0.0.1:8001")
    options.add_argument("--rate", type=float, default=6.0, help="calls a second")
    options.add_argument("--seconds", type=float, default=15.0, help="0 means until interrupted")
    options.add_argument("--seed", type=int, default=7)
    chosen = options.parse_args()
    statuses = drive(chosen.base, PLANS[chosen.plan], chosen.rate, chosen.seconds, chosen.seed)
    print(" ".join(f"{status or 'unanswered'}:{count}" for status, count in sorted(statuses.items())))
    return 1 if statuses[0] else 0


if __name__ == "__main__":
    sys.exit(main())
