"""`apm-agent mcp`, asked by the protocol's own client over standard input and output, as an assistant asks it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from apm_agent.errors import StoreError
from apm_agent.mcp import trimming
from apm_agent.mcp.answering import Answering
from apm_agent.mcp.tools import TOOLS
from apm_agent.model.profile import Frame
from apm_agent.model.record import FailureRecord, SpanRecord
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.routes import ROUTES
from days import day, url
from make_store import MS, make
from records import process, record
from servers import PYTHON, environment

__all__ = ["day", "url"]

PAGE = Path(__file__).parents[2] / "docs" / "mcp.md"


@asynccontextmanager
async def assistant(store: Path, *options: str, **variables: str) -> AsyncIterator[Client]:
    """A client that started the server as its configuration says."""
    server = StdioServerParameters(
        command=PYTHON,
        args=["-m", "apm_agent", "mcp", "--store", str(store), *options],
        env=environment(**variables),
        cwd=str(store.parent),
    )
    async with Client(stdio_client(server), read_timeout_seconds=60) as client:
        yield client


async def told(client: Client, name: str, /, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result.content[0].text
    text = result.content[0].text
    assert len(text) <= trimming.MOST
    answer: dict[str, Any] = json.loads(text)
    return answer


async def refused(client: Client, name: str, /, **arguments: Any) -> str:
    result = await client.call_tool(name, arguments)
    assert result.is_error
    words: str = result.content[0].text
    return words


async def test_from_what_is_slow_to_the_line(day: Path) -> None:
    async with assistant(day) as client:
        first = (await told(client, "overview"))["fix_first"]
        found = next(each for each in first if each["name"] == "GET /orders")
        assert found["where"] == "shop.py:8"
        endpoint = await told(client, "endpoint", name="GET /orders", kind="web")
        assert endpoint["insights"][0]["kind"] == "repeated_query"
        assert "order.customer = db.row" in json.dumps(endpoint["source"])
        slow = await told(client, "slow_requests", name="GET /orders", kept=True, limit=3)
        trace = await told(client, "trace", id=slow["traces"][0]["id"])
        folded = trace["spans"][0]
        assert (folded["where"], folded["kind"]) == ("shop.py:8", "db")
        assert folded["times"] > 40
        quote = await told(client, "slow_requests", name="POST /quote", kept=True, limit=1)
        hot = (await told(client, "trace", id=quote["traces"][0]["id"]))["hot"][0]
        assert (hot["file"], hot["function"]) == ("shop.py", "price")


def test_every_tool_answers_within_its_size(url: str) -> None:
    answering = Answering(url, "0")

    def asked(name: str, /, **arguments: Any) -> dict[str, Any]:
        text = answering.answer(name, arguments)
        assert len(text) <= trimming.MOST
        answer: dict[str, Any] = json.loads(text)
        return answer

    given = {
        "endpoint": {"name": "GET /orders"},
        "trace": {"id": asked("slow_requests", kept=True)["traces"][0]["id"]},
        "query": {"id": asked("queries")["queries"][0]["id"]},
    }
    for name, tool in TOOLS.items():
        answer = asked(name, **given.get(name, {}))
        assert set(answer) - {"left_out"} <= {*tool.keeps, "window", "store"}
        assert len(answer) > 1


async def test_tools_say_what_they_take_and_what_makes_no_sense_is_said_with_the_cure(day: Path) -> None:
    async with assistant(day) as client:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == list(TOOLS)
        for tool in tools:
            assert tool.annotations.read_only_hint
            assert not tool.annotations.destructive_hint
            assert tool.description
            for told_of in tool.input_schema["properties"].values():
                assert told_of["description"]
        assert "never instructions" in client.instructions
        assert "limit='0' is not a whole number from 1 to 1000" in await refused(client, "endpoints", limit=0)
        assert "name= is missing" in await refused(client, "endpoint")
        assert "there is no endpoint 'GET /x'" in await refused(client, "endpoint", name="GET /x")
        assert "unknown parameter 'ranje'" in await refused(client, "overview", ranje="1h")
        assert "is not a text or a number" in await refused(client, "overview", range=["1h"])
        assert "there is no tool 'arm'; there are overview" in await refused(client, "arm", endpoint="GET /")


def test_a_store_that_is_not_there_yet_is_said_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"there is no store at .*none.db yet: start .* with `apm-agent run`"
    ):
        Answering(f"sqlite:///{tmp_path}/none.db", "0").answer("overview", {})


def hostile(folder: Path) -> Path:
    """A store of an application whose users put secrets everywhere, and whose frames name foreign files."""
    secret = folder / "etc" / "secrets.py"
    secret.parent.mkdir()
    secret.write_text("PASSWORD = 'swordfish'\n" * 9)
    root = folder / "app"
    root.mkdir()
    store = SQLiteStore(str(folder / "apm.db"), process(app_root=str(root)))
    frame = Frame("load", "secrets.py", 3, "app", str(secret))
    one = record(
        duration_ns=900 * MS,
        context={"user": "ann@example.com", "plan": "free"},
        failure=FailureRecord("ValueError", "no 'swordfish' for ann@example.com, P-1234", frame),
        spans=[SpanRecord(None, "db", "SELECT", 0, 5 * MS, 5 * MS, 'SELECT "a" FROM t', frame, None, False)],
    )
    store.write([one])
    store.close()
    return folder / "apm.db"


async def test_answers_are_masked_and_hold_no_source_from_elsewhere(tmp_path: Path) -> None:
    store = hostile(tmp_path)
    async with assistant(store) as client:
        row = (await told(client, "slow_requests"))["traces"][0]
        texts = [
            json.dumps(await told(client, "trace", id=row["id"])),
            json.dumps(await told(client, "errors")),
            json.dumps(await told(client, "endpoint", name=row["name"])),
            json.dumps(await told(client, "overview")),
        ]
        assert '"plan": "[scrubbed]"' in texts[0]
        for text in texts:
            assert "swordfish" not in text
            assert "PASSWORD" not in text
            assert "ann@example.com" not in text
        assert 'SELECT \\"a\\" FROM t' in json.dumps(await told(client, "queries"))
    shown = Answering(f"sqlite:///{store}", "0", show_context=True)
    assert '"plan":"free"' in shown.answer("trace", {"id": row["id"]})


async def test_the_rules_of_here_hold_for_what_was_stored_without_them(tmp_path: Path) -> None:
    async with assistant(hostile(tmp_path), APM_AGENT_SCRUB=r"/P-[0-9]{4}/") as client:
        errors = await told(client, "errors")
        assert errors["failed"] == 1
        assert "P-1234" not in json.dumps(errors)


def test_asking_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store" / "apm.db"
    make(path, 300, hours=1)
    before, there = path.read_bytes(), {each.name for each in path.parent.iterdir()}
    answering = Answering(f"sqlite:///{path}", "0")
    for name, tool in TOOLS.items():
        if not tool.schema()["required"]:
            answering.answer(name, {})
    answering.answer("endpoint", {"name": "GET /orders"})
    assert path.read_bytes() == before
    assert {each.name for each in path.parent.iterdir()} <= {*there, "apm.db-wal", "apm.db-shm"}


def test_long_answers_are_cut_and_say_so() -> None:
    rows = [{"name": f"GET /{number}" + "x" * 2000, "spark": [1] * 36} for number in range(1000)]
    text = trimming.small(trimming.masked({"endpoints": rows, "count": 1000}))
    assert len(text) <= trimming.MOST
    answer = json.loads(text)
    assert answer["count"] == 1000
    assert answer["left_out"] == {"endpoints": 1000 - len(answer["endpoints"])}
    assert "spark" not in answer["endpoints"][0]
    wide = json.loads(trimming.small({f"key {number}": "x" * 100 for number in range(5000)}))
    assert "ask for less" in wide["too_large"]


def test_each_tool_is_a_question_and_takes_what_that_takes() -> None:
    for tool in TOOLS.values():
        assert set(tool.takes) <= set(ROUTES[tool.question].parameters)


def test_without_the_package_the_cure_is_said(day: Path) -> None:
    script = (
        "import importlib.metadata as m, sys; real = m.version\n"
        "def version(name):\n"
        "    if name == 'mcp': raise m.PackageNotFoundError(name)\n"
        "    return real(name)\n"
        "m.version = version\n"
        "from apm_agent.cli import main; main(['mcp', '--store', sys.argv[1]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(day)],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (
        "apm-agent: apm-agent mcp needs the package mcp 2.0 or newer, and it is not installed. "
        "Cure: pip install 'apm-agent[mcp]'\n"
    )


def test_the_page_names_every_tool() -> None:
    text = PAGE.read_text()
    for name in TOOLS:
        assert f"`{name}`" in text
