"""`apm-agent record`: a file of the next seconds that its tool opens; endings say the format."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import click
import pytest

from apm_agent.cli.record import format_of
from hanging import served, visit
from make_store import make
from servers import PYTHON, environment


def record(store: Path, output: Path, *options: str) -> list[str]:
    return [PYTHON, "-m", "apm_agent", "record", "--store", str(store), "-o", str(output), *options]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("flame.html", "html"), ("profile.speedscope.json", "speedscope"), ("x.folded", "folded"),
        ("x.folded.txt", "folded"), ("x.txt", "text"), ("a.b.pstats", "pstats"), ("x.pprof", "pprof"),
        ("X.HTML", "html"), ("graph.dot", "dot"), ("callgrind.out.callgrind", "callgrind"),
    ],
)  # fmt: skip
def test_the_ending_says_the_format(name: str, form: str) -> None:
    assert format_of(f"/some/where/{name}") == form


@pytest.mark.parametrize("name", ["x.json", "profile", "html", "x.chrome.json"])
def test_an_ending_that_says_none_is_refused(name: str) -> None:
    with pytest.raises(click.UsageError, match=r"names no format: end it in one of .*\.html"):
        format_of(name)


@pytest.mark.server
def test_a_window_of_a_running_application(tmp_path: Path) -> None:
    output = tmp_path / "profile.speedscope.json"
    with served(tmp_path, "gunicorn") as program:
        visit(f"{program.url}/burn").join()
        visit(f"{program.url}/").join()
        options = ("--seconds", "4", "--endpoint", "GET /burn")
        # The endpoint is known once it was written.
        for _ in range(10):
            visit(f"{program.url}/burn").join()
            process = subprocess.Popen(
                record(tmp_path / "apm.db", output, *options),
                env=environment(),
                stderr=subprocess.PIPE,
                text=True,
            )
            while process.poll() is None:
                visit(f"{program.url}/burn").join()
            said = process.communicate()[1]
            if process.returncode == 0:
                break
    assert output.exists(), said
    document = json.loads(output.read_text())
    names = {frame["name"] for frame in document["shared"]["frames"]}
    assert "burn" in names
    assert "stuck" not in names
    (profile,) = document["profiles"]
    assert 0.5e9 < profile["endValue"] < 60e9
    assert "transactions" in said


def test_without_traffic_it_says_what_to_look_at(tmp_path: Path) -> None:
    make(tmp_path / "apm.db", 50)
    done = subprocess.run(
        record(tmp_path / "apm.db", tmp_path / "x.html", "--seconds", "1"),
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "nothing was sampled in 1 s: 0 transactions ended" in done.stderr
    assert not (tmp_path / "x.html").exists()


def test_an_endpoint_there_is_not(tmp_path: Path) -> None:
    make(tmp_path / "apm.db", 50)
    done = subprocess.run(
        record(tmp_path / "apm.db", tmp_path / "x.html", "--endpoint", "GET /nothing"),
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "there is no endpoint 'GET /nothing'" in done.stderr
