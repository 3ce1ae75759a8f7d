"""`apm-agent check`: verdicts, exit status and report, of stores that the real writer filled."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from apm_agent.model.profile import Frame
from apm_agent.model.record import SpanRecord
from apm_agent.store.sqlite import SQLiteStore
from records import process, record
from servers import PYTHON, environment

ORDERS, CART = "GET /orders", "GET /cart"
MS = 1_000_000


def keep(path: Path, *endpoints: dict[str, Any], seed: int = 1, **fields: Any) -> Path:
    """Calls that scatter as those of a server do: log-normal around `ms`."""
    chance = random.Random(seed)
    store = SQLiteStore(str(path), process(**fields))
    for given in endpoints:
        failed = given.get("failed", 0)
        store.write(
            [
                record(
                    given.get("name", ORDERS),
                    duration_ns=int(given.get("ms", 20) * MS * chance.lognormvariate(0, 0.3)),
                    queries=given.get("queries", 3),
                    spans=[
                        SpanRecord(None, "db", "SELECT customer", n, MS, MS, "SELECT * FROM customer WHERE id = ?",
                                   Frame("orders", "shop.py", 7, "app", "/srv/shop.py"), None, False)
                        for n in range(given.get("queries", 3))
                    ],
                    status=500 if number < failed else 200,
                    rss_after=int(given.get("mb", 50) * 2**20),
                )
                for number in range(given.get("calls", 400))
            ]
        )  # fmt: skip
    store.close()
    return path


def check(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "apm_agent", "check", *map(str, arguments)],
        cwd=cwd, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


ALL = ("--p95", "+10%", "--queries", "+0", "--rss", "+5MB", "--errors", "+0")


def test_the_same_again_holds(tmp_path: Path) -> None:
    keep(tmp_path / "main.db", {}, {"name": CART, "failed": 8})
    keep(tmp_path / "pr.db", {}, {"name": CART, "failed": 8}, seed=2)
    done = check("--baseline", "main.db", "--current", "pr.db", *ALL, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Within the limits. 0 broken, 0 with too few calls, 7 hold.\n")


@pytest.mark.parametrize(
    ("changed", "limit", "words"),
    [
        ({"ms": 30}, ("--p95", "+10%"), "p95 +10%"),
        ({"ms": 30}, ("--p95", "+5ms"), "p95 +5ms"),
        ({"queries": 4}, ("--queries", "+0"), "queries +0"),
        ({"failed": 20}, ("--errors", "+1%"), "errors +1%"),
        ({"mb": 58}, ("--rss", "+5MB"), "rss +5MB"),
    ],
)
def test_each_limit_is_broken_alone(
    changed: dict[str, Any], limit: tuple[str, str], words: str, tmp_path: Path
) -> None:
    keep(tmp_path / "main.db", {})
    keep(tmp_path / "pr.db", changed, seed=2)
    done = check("--baseline", "main.db", "--current", "pr.db", *limit, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"broken   {words}" in done.stdout
    done = check("--baseline", "pr.db", "--current", "main.db", *limit, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("changed", "limit"),
    [
        ({"ms": 30}, ("--p95", "+60%")),
        ({"queries": 4}, ("--queries", "+1")),
        ({"queries": 4}, ("--queries", "+40%")),
        ({"failed": 20}, ("--errors", "+6%")),
        ({"mb": 58}, ("--rss", "+20%")),
    ],
)
def test_what_is_allowed_holds(changed: dict[str, Any], limit: tuple[str, str], tmp_path: Path) -> None:
    keep(tmp_path / "main.db", {})
    keep(tmp_path / "pr.db", changed, seed=2)
    done = check("--baseline", "main.db", "--current", "pr.db", *limit, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_too_few_calls_are_said_and_not_guessed(tmp_path: Path) -> None:
    keep(tmp_path / "main.db", {"calls": 29}, {"name": CART, "calls": 40})
    keep(tmp_path / "pr.db", {"calls": 400, "ms": 900, "queries": 9}, {"name": CART, "calls": 40, "ms": 900})
    done = check("--baseline", "main.db", "--current", "pr.db", "--p95", "+10%", cwd=tmp_path)
    assert done.returncode == 2
    assert "GET /orders: 29 calls before and 400 after; under 30 a side nothing is judged" in done.stdout
    assert "GET /cart: 40 calls before and 40 after; it takes about" in done.stdout
    assert "Not judged: too few calls." in done.stdout
    done = check("--baseline", "main.db", "--current", "pr.db", "--queries", "+0", cwd=tmp_path)
    assert done.returncode == 0, done.stdout  # of the cart it could be judged
    done = check(
        "--baseline", "main.db", "--current", "pr.db", "--queries", "+0", "--endpoint", ORDERS, cwd=tmp_path
    )
    assert done.returncode == 2, done.stdout


def test_how_many_it_takes_is_true(tmp_path: Path) -> None:
    keep(tmp_path / "main.db", {"calls": 40})
    keep(tmp_path / "pr.db", {"calls": 40, "ms": 900})
    few = check("--baseline", "main.db", "--current", "pr.db", "--p95", "+10%", cwd=tmp_path).stdout
    needed = int(few.partition("it takes about ")[2].split()[0])
    keep(tmp_path / "main2.db", {"calls": needed})
    keep(tmp_path / "pr2.db", {"calls": needed, "ms": 900})
    done = check("--baseline", "main2.db", "--current", "pr2.db", "--p95", "+10%", cwd=tmp_path)
    assert done.returncode == 1, done.stdout


def test_memory_of_several_processes_is_tested_between_them(tmp_path: Path) -> None:
    for number, mb in enumerate((50, 51, 52, 53)):
        keep(tmp_path / "main.db", {"calls": 40, "mb": mb}, pid=100 + number)
        keep(tmp_path / "pr.db", {"calls": 40, "mb": mb + 6 * (number - 1)}, pid=100 + number)
    done = check("--baseline", "main.db", "--current", "pr.db", "--rss", "+1MB", cwd=tmp_path)
    assert done.returncode == 0, done.stdout  # 3 MB more on average, but they scatter by more
    assert "4 and 4 processes" in done.stdout
    for number, mb in enumerate((60, 61, 62, 63)):
        keep(tmp_path / "big.db", {"calls": 40, "mb": mb}, pid=100 + number)
    done = check("--baseline", "main.db", "--current", "big.db", "--rss", "+5MB", cwd=tmp_path)
    assert done.returncode == 1, done.stdout


def test_the_report_names_verdict_cause_and_method(tmp_path: Path) -> None:
    keep(tmp_path / "main.db", {})
    keep(tmp_path / "pr.db", {"queries": 9}, seed=2)
    done = check(
        "--baseline", "main.db", "--current", "pr.db", "--queries", "+0", "--p95", "+10%",
        "--markdown", "report.md", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "SELECT * FROM customer WHERE id = ? at shop.py:7: 3.00 → 9.00 a call" in done.stdout
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert report.startswith("## ❌ apm-agent: A limit is broken. 1 broken, 0 with too few calls, 1 hold.\n")
    assert "| broken | queries +0 | 3.00 | 9.00 | +200.0% | 400 / 400 | \\<0.0001 | GET /orders |" in report
    assert "- SELECT \\* FROM customer WHERE id = ? at shop.py:7: 3.00 → 9.00 a call" in report
    assert "Welch's t-test" in report
    assert "quantile test (Johnson, Verrill and Moore 1987)" in report


def test_the_current_store_is_that_of_the_settings(tmp_path: Path) -> None:
    keep(tmp_path / "main.db", {})
    (tmp_path / ".apm-agent").mkdir(mode=0o700)
    keep(tmp_path / ".apm-agent" / "apm.db", {})
    done = check("--baseline", "main.db", "--queries", "+0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("main.db → .apm-agent/apm.db\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--baseline", "a.db", "--current", "a.db"), "No limit is given: add --p95 +10%"),
        (("--p95", "+10%"), "Missing option '--baseline'"),
        (("--baseline", "x.db", "--p95", "+10%"), "--baseline 'x.db' is no file"),
        (("--baseline", "a.db", "--p95", "+10%"), "there is no store at .apm-agent/apm.db yet"),
        (
            ("--baseline", "a.db", "--current", "a.db", "--p95", "10"),
            "'10' does not say how much more is allowed",
        ),
        (("--baseline", "a.db", "--current", "a.db", "--p95", "-10%"), "write +10%, +20ms or +0"),
        (("--baseline", "a.db", "--current", "a.db", "--queries", "+1MB"), "write +0, +2 (a call) or +10%"),
        (("--baseline", "a.db", "--current", "a.db", "--rss", "lots"), "'lots' does not say"),
        (("--baseline", "a.db", "--current", "a.db", "--errors", "+1"), "write +0, or +1% of all calls"),
        (
            ("--baseline", "a.db", "--current", "a.db", "--p95", "+1%", "--endpoint", "GET /x"),
            "neither store has calls of 'GET /x'; endpoints are: GET /orders",
        ),
        (("--baseline", "rubbish.db", "--current", "a.db", "--p95", "+1%"), "is damaged"),
        (
            ("--baseline", "a.db", "--current", "a.db", "--p95", "+1%", "--markdown", "no/where.md"),
            "--markdown 'no/where.md' cannot be written: No such file",
        ),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    keep(tmp_path / "a.db", {"calls": 30})
    (tmp_path / "rubbish.db").write_bytes(b"no database at all" * 100)
    done = check(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr
    assert done.stdout == ""


def test_r39_hostile_names_break_no_terminal_and_no_table(tmp_path: Path) -> None:
    hostile = "GET /\x1b[2J|<script>`\n# x"
    keep(tmp_path / "main.db", {"name": hostile})
    keep(tmp_path / "pr.db", {"name": hostile, "queries": 9})
    done = check(
        "--baseline", "main.db", "--current", "pr.db", "--queries", "+0", "--markdown", "r.md", cwd=tmp_path
    )
    assert done.returncode == 1
    report = (tmp_path / "r.md").read_text(encoding="utf-8")
    assert "\x1b" not in done.stdout + report
    assert "\\|\\<script\\>" in report
    assert "\n# x" not in done.stdout + report
