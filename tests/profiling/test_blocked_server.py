"""A view that blocks the event loop of a real server: who waited for it, how long, and for which line."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from pathlib import Path

import pytest

from apm_agent.queries.connection import connect
from apm_agent.queries.trace import trace
from apm_agent.queries.window import of_range
from noise import at_best
from servers import environment, free_port, running, uvicorn

pytest.importorskip("uvicorn")

APP = """
import asyncio, json, time
import apm_agent

held, waited = [], {}

def hold():
    held.append(time.monotonic())
    time.sleep(0.2)                                     # the line
    held.append(time.monotonic())

async def answer(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b"ok"
    if scope["path"] == "/truth":
        assert apm_agent.flush(10)
        body = json.dumps({"waited": list(waited.values())}).encode()
    elif scope["path"] == "/slow":
        await asyncio.sleep(0.3)
        hold()
    else:
        number = int(scope["path"][1:])
        for _ in range(14):
            due = time.monotonic() + 0.02 + number / 2000
            await asyncio.sleep(0.02 + number / 2000)
            if len(held) == 2 and number not in waited and due < held[1]:
                waited[number] = held[1] - max(held[0], due)
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})

app = apm_agent.asgi(answer)
"""
LINE = next(number for number, text in enumerate(APP.splitlines(), 1) if "the line" in text)


async def get(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


async def ask(port: int) -> list[float]:
    await get(port, "/1")
    await asyncio.gather(get(port, "/slow"), *(get(port, f"/{number}") for number in range(50)))
    return list(json.loads(await get(port, "/truth"))["waited"])


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_nearly_all_of_the_wait_is_told_with_the_line_that_caused_it(tmp_path: Path, loop: str) -> None:
    pytest.importorskip(loop)
    folders = (tmp_path / str(number) for number in count())
    at_best(lambda: measure(next(folders), loop))


def measure(tmp_path: Path, loop: str) -> None:
    tmp_path.mkdir()
    (tmp_path / "blocked.py").write_text(APP)
    store, port = f"sqlite:///{tmp_path}/apm.db", free_port()
    variables = environment(APM_AGENT_STORE=store, APM_AGENT_SLOW="0.1", PYTHONPATH=str(tmp_path))
    with running(uvicorn("blocked:app", port, "--loop", loop), port=port, env=variables, cwd=tmp_path):
        truth = asyncio.run(ask(port))
    with connect(store) as connection:
        kept = [row[0] for row in connection.rows("SELECT transaction_id FROM traces", ())]
        answers = [answer for each in kept if (answer := trace(connection, each, of_range("1h")))]
    [culprit] = [each for each in answers if each["trace"]["path"] == "/slow"]
    rows = [(row, each) for each in answers for row in each["blocked_by"]]
    right = [
        row
        for row, _ in rows
        if row["where"]
        and row["trace"] == culprit["trace"]["id"]
        and (row["where"]["function"], row["where"]["line"]) == ("hold", LINE)
    ]
    whole = sum(truth) * 1000
    told = sum(row["ms"] for row in right)
    assert len(truth) > 40
    assert 0.95 * whole < told < 1.1 * whole, (told, whole)
    assert max(row["ms"] for row in right) < 300
    assert culprit["blocking"]["victims"] == len(right)
    assert culprit["insights"][0]["kind"] == "blocked_loop"
    assert f"{len(right)} others wait" in culprit["insights"][0]["why"]
    for row, each in rows:
        if row["ms"] > 100:
            assert "holds the event loop at blocked.py" in each["insights"][0]["why"]
