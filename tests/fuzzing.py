"""Puts an API's own OpenAPI document to Schemathesis, against a real server on a store; tests and the soak share it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from werkzeug.test import Client

from apm_agent.web.app import dashboard
from apm_agent.web.parameters import COMMON

_HERE = Path(__file__).parent

#: No database is configured, so that the refusal of any plan is right; so is that of timing lines nobody sampled.
_CONFIG = """
[[operations]]
include-path = "/plan"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path = "/arms"
include-method = "POST"
checks.positive_data_acceptance.enabled = false
"""


def known(store_url: str) -> dict[str, list[str]]:
    """Values of parameters that are in the store, for questions that are about something in it."""
    client = Client(dashboard(store_url, open_to_all=True))

    def ask(question: str) -> Any:
        return client.get(f"/api/v1/{question}").get_json()

    traces = [row["id"] for kept in "01" for row in ask(f"traces?range=24h&limit=8&kept={kept}")["traces"]]
    frames = [frame for each in traces for frame in ask(f"trace?id={each}")["frames"]]
    releases = ask("endpoints?range=24h")["releases"]
    sides = ["range:6h", "before:6h", "range:24h", *(f"tx:{each}" for each in traces[:4])]
    return {
        "id": traces,
        "query.id": [row["id"] for row in ask("queries?range=24h")["queries"]],
        "name": [row["name"] for row in ask("endpoints?range=24h")["endpoints"]],
        "service": ["shop"],
        "release": releases,
        "file": sorted({frame["file"] for frame in frames}),
        "function": sorted({frame["function"] for frame in frames}),
        "a": [*sides, *(f"release:{each}" for each in releases)],
        "b": sides,
        "formats of one transaction": ["chrome", "otlp"],
    }


@contextlib.contextmanager
def served(store: Path) -> Iterator[str]:
    """The dashboard of a store in a process of its own, as people run it; its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "apm_agent", "dashboard", "--store", str(store), "--no-browser"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            yield next(word for word in said.split() if word.startswith("http")).rstrip("/")
        finally:
            process.terminate()


def _document(address: str, brief: bool) -> dict[str, Any]:
    """The document as served; `brief` keeps what all questions take at one of them, which is a third of the work."""
    with urllib.request.urlopen(f"{address}/api/v1/openapi.json", timeout=30) as answer:
        document: dict[str, Any] = json.load(answer)
    for name in set(document["paths"]) - {"/overview"} if brief else ():
        told = document["paths"][name].get("get")
        if told:
            told["parameters"] = [each for each in told["parameters"] if each["name"] not in COMMON]
    return document


def fuzz(
    address: str, store: Path, folder: Path, *options: str, brief: bool = False, timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Runs Schemathesis on what `<address>/api/v1/openapi.json` says; its exit code is 0 where nothing was found."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "openapi.json").write_text(json.dumps(_document(address, brief)))
    (folder / "schemathesis.toml").write_text(_CONFIG)
    return subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", "openapi.json",
            "--url", f"{address}/api/v1", "--phases", "examples,coverage,fuzzing", "--continue-on-failure",
            "--generation-database", "none", "--warnings", "off", "--no-color", "--suppress-health-check", "all",
            *options,
        ],
        cwd=folder,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "fuzzing_hooks",
            "PYTHONPATH": str(_HERE),
            "APM_FUZZ_KNOWN": json.dumps(known(f"sqlite:///{store}")),
            "COLUMNS": "160",
        },
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )  # fmt: skip
