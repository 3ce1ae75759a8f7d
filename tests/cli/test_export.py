"""`apm-agent export` and `apm-agent dis` on a made-up day."""

from __future__ import annotations

import json
import os
import pstats
import re
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from apm_agent.exporters import EXPORTERS
from make_store import make
from servers import PYTHON, environment


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a day of 1,000 transactions that ends now; its application lies beside it."""
    path = tmp_path_factory.mktemp("day") / "apm.db"
    make(path, 1000)
    return path


def run(day: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [PYTHON, "-m", "apm_agent", *arguments, "--store", str(day)],
        cwd=cwd or day.parent, env=environment(PYTHONPATH=os.getcwd()), capture_output=True, timeout=60, check=False,
    )  # fmt: skip


def kept(day: Path, endpoint: str) -> str:
    """The id of a transaction with a detail."""
    raw = sqlite3.connect(f"file:{day}?mode=ro", uri=True)
    try:
        (number,) = raw.execute(
            "SELECT x.id FROM transactions x JOIN traces t ON t.transaction_id = x.id"
            " JOIN endpoints e ON e.id = x.endpoint_id WHERE e.name = ? LIMIT 1",
            (endpoint,),
        ).fetchone()
    finally:
        raw.close()
    return f"{number:016x}"


@pytest.mark.parametrize("form", EXPORTERS)
def test_every_format_is_written(day: Path, form: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    which = ["--transaction", kept(day, "GET /orders")] if form == "chrome" else ["--endpoint", "GET /orders"]
    done = run(day, "export", *which, "--format", form, "-o", str(file))
    assert done.returncode == 0, done.stderr
    assert (done.stdout, file.stat().st_size > 100) == (b"", True)
    assert f"{file}: {file.stat().st_size:,} bytes; opens in ".encode() in done.stderr
    assert run(day, "export", *which, "--format", form, "-o", "-").stdout == file.read_bytes()


def test_a_text_goes_to_the_terminal_and_a_file_gets_a_name(day: Path, tmp_path: Path) -> None:
    shown = run(day, "export", "--format", "text", cwd=tmp_path).stdout.decode()
    assert "orders (shop.py:8)" in shown
    assert list(tmp_path.iterdir()) == []
    run(day, "export", "--endpoint", "GET /orders", "--format", "speedscope", cwd=tmp_path)
    (file,) = tmp_path.iterdir()
    assert file.name == "GET-orders.speedscope.json"
    assert json.loads(file.read_text())["profiles"]


def test_measured_calls_are_added_up_over_transactions_and_processes(day: Path, tmp_path: Path) -> None:
    file = tmp_path / "quote.pstats"
    run(day, "export", "--endpoint", "POST /quote", "--format", "pstats", "-o", str(file))
    measured = pstats.Stats(str(file))
    assert {name for _, _, name in measured.stats} == {"quote", "price"}  # type: ignore[attr-defined]
    assert measured.total_calls > 20  # type: ignore[attr-defined]
    run(
        day,
        "export",
        "--endpoint",
        "POST /quote",
        "--format",
        "pstats",
        "--source",
        "profile",
        "-o",
        str(file),
    )
    sampled = pstats.Stats(str(file))
    assert sampled.total_calls == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export"], ["--format"]),
        (["export", "--format", "pickle"], ["'pickle'", "speedscope"]),
        (["export", "--format", "chrome"], ["chrome", "one transaction"]),
        (["export", "--format", "pprof", "--source", "callgraph"], ["callgraph", "profile"]),
        (["export", "--format", "text", "--endpoint", "GET /nope"], ["'GET /nope'", "dashboard"]),
        (["export", "--format", "text", "--transaction", "xyz"], ["'xyz'"]),
        (["export", "--format", "text", "--transaction", "ff"], ["samples"]),
        (["export", "--format", "text", "--range", "2y"], ["'2y'", "24h"]),
        (["export", "--format", "html", "-o", "/no/such/folder/x.html"], ["/no/such/folder/x.html", "-o"]),
        (["export", "--format", "html", "--endpoint", "a", "--transaction", "b"], ["exclude"]),
        (["dis", "shop"], ["'shop'", "module:function"]),
        (["dis", "nope.shop:price"], ["'nope'", "folder"]),
        (["dis", "shop:nope"], ["'nope'", "orders"]),
        (["dis", "sys:exit"], ["sys"]),
        (["dis", "none.py:f"], ["none.py"]),
        (["dis", "shop:price", "--endpoint", "GET /nope"], ["'GET /nope'"]),
    ],
)
def test_misuse_is_one_line(day: Path, arguments: list[str], words: list[str]) -> None:
    done = run(day, *arguments, cwd=day.parent / "shop")
    said = done.stderr.decode()
    assert (done.returncode, done.stdout, said.count("\n")) == (2, b"", 1), done
    assert all(word in said for word in ("apm-agent: ", *words)), said


def test_dis_shows_heat_beside_bytecode(day: Path) -> None:
    shop = day.parent / "shop"
    done = run(day, "dis", "shop:price", cwd=shop)
    text = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    hot = re.search(
        r"(?m)^ *([0-9,.]+) +([0-9,.]+) +16 +total \+= item\.price \* rule\.factor\(item\)$", text
    )
    warm = re.search(r"(?m)^ *([0-9,.]+) +([0-9,.]+) +15 +for rule in RULES:$", text)
    assert hot
    assert warm
    own = sum(float(match[1].replace(",", "")) for match in (hot, warm))
    assert f"own {own:,.3f} ms" in text
    assert "by line: the store keeps the line of a sample, not its instruction" in text
    assert "BINARY_OP" in text or "INPLACE_ADD" in text
    assert (
        run(day, "dis", f"{shop / 'shop.py'}:price").stdout.decode().splitlines()[1:] == text.splitlines()[1:]
    )
    none = run(day, "dis", "shop:price", "--endpoint", "GET /report", cwd=shop).stdout.decode()
    assert "own 0.000 ms" in none


def test_dis_runs_nothing_and_says_what_it_cannot_know(day: Path, tmp_path: Path) -> None:
    file = tmp_path / "loud.py"
    file.write_text(
        "open('ran', 'w')\n"
        "class Basket:\n"
        "    @property\n"
        "    def price(self):\n"
        "        return sum(item.price for item in self.items)\n"
    )
    os.utime(file, (time.time(), time.time()))
    text = run(day, "dis", "loud:Basket.price", cwd=tmp_path).stdout.decode()
    assert not (tmp_path / "ran").exists()
    assert "No samples of this file are in the store" in text
    assert "The file changed since" in text
    assert "<genexpr>, inside:" in text
    assert run(day, "dis", "loud:price", cwd=tmp_path).stdout.decode().count("return sum(") == 2, (
        "once for the function, once for what is inside"
    )


@pytest.mark.parametrize(
    ("arguments", "page", "says"),
    [
        (("--endpoint", "POST /quote"), "endpoint", "POST /quote"),
        (("--transaction", "{id}"), "trace", "POST /quote"),
        (("--compare", "before:6h", "range:6h"), "compare", "before:6h and range:6h"),
    ],
)
def test_a_page_is_one_file(day: Path, arguments: tuple[str, ...], page: str, says: str) -> None:
    given = [each.format(id=kept(day, "POST /quote")) for each in arguments]
    file = day.parent / f"{page}.html"
    done = run(day, "export", "--format", "page", *given, "-o", str(file))
    assert done.returncode == 0, done.stderr.decode()
    assert f"{file.stat().st_size:,} bytes; opens in any browser, without a network" in done.stderr.decode()
    document = json.loads(file.read_text().partition('id="saved">')[2].partition("</script>")[0])
    assert (document["page"], says in document["about"]) == (page, True)
    assert document["bytes"] == file.stat().st_size


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--format", "page"), "--format page is of --endpoint, --transaction or --compare A B"),
        (("--format", "page", "--endpoint", "GET /none"), "there is no endpoint 'GET /none'"),
        (("--format", "page", "--transaction", "1"), "is not in the store"),
        (("--format", "page", "--compare", "x", "range:6h"), "x"),
        (("--format", "text", "--compare", "before:6h", "range:6h"), "--compare goes with --format page"),
    ],
)
def test_a_page_that_cannot_be_one_says_why(day: Path, arguments: tuple[str, ...], says: str) -> None:
    done = run(day, "export", *arguments)
    assert done.returncode != 0
    assert says in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
