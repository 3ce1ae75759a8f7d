"""Asks a real server anything its OpenAPI document allows and much it does not, for minutes; 0 findings is a pass.

python tests/soak/fuzz_api.py [--seconds 180] [--seed N]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from fuzzing import fuzz, served  # noqa: E402
from make_store import make  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    given, _ = parser.parse_known_args()  # the options of other soaks are not for this one
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day" / "apm.db"
        make(path, 4000)
        return _fuzz(path, given.seconds, given.seed)


def _fuzz(path: Path, seconds: float, seed: int) -> int:
    with served(path) as address:
        began, rounds = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            rounds += 1
            options = "-n", "60", "--seed", str(seed + rounds)
            done = fuzz(address, path, path.parent / "fuzz", *options, timeout=seconds + 600)
            print(done.stdout if done.returncode else done.stdout[-400:], flush=True)
            if done.returncode:
                print(done.stderr, file=sys.stderr)
                return 1
        print(f"{rounds} rounds in {time.monotonic() - began:.0f} s from seed {seed}: nothing found")
        return 0


if __name__ == "__main__":
    sys.exit(main())
