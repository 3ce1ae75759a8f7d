"""A news feed in FastAPI: async routes, `def` routes and one that blocks the loop, with planted faults.

FEED_UPSTREAM=http://127.0.0.1:9000 uvicorn feed:app
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing

import httpx
from fastapi import FastAPI, HTTPException, WebSocket
from fastapi.responses import StreamingResponse

UPSTREAM = os.environ.get("FEED_UPSTREAM", "http://127.0.0.1:9000")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(base_url=UPSTREAM, timeout=5) as client:
        app.state.weather = client
        yield


app = FastAPI(lifespan=lifespan)
if not os.environ.get("EXAMPLE_BARE"):  # the tests compare every answer with and without the agent
    from apm_agent.integrations.fastapi import APMMiddleware

    app.add_middleware(APMMiddleware)


@app.get("/")
async def home() -> dict[str, str]:
    return {"feed": "news"}


@app.get("/stories/{story_id}")
def story(story_id: int) -> dict[str, object]:
    with closing(database()) as connection:
        row = connection.execute("SELECT id, title FROM story WHERE id = ?", (story_id,)).fetchone()
    if row is None:
        raise HTTPException(404, "no such story")
    return {"id": row[0], "title": row[1]}


@app.get("/ranking")
def ranking() -> dict[str, int]:
    return {"best": rank(40)}


def rank(stories: int) -> int:
    """Ranks stories, much too thoroughly; runs in a worker thread because its route is a plain `def`."""
    score = 1
    for step in range(stories * 30_000):
        score = (score * 48_271 + step * 7_919) % 99_991  # planted: hot_line
    return score


@app.get("/timeline/{user}")
async def timeline(user: str) -> dict[str, object]:
    parts = await asyncio.gather(part("friends", 0.01), part("groups", 0.02))
    return {"user": user, "parts": parts}


async def part(name: str, seconds: float) -> str:
    await asyncio.sleep(seconds)
    return name


@app.get("/digest")
async def digest() -> dict[str, str]:
    time.sleep(0.15)  # planted: blocked_loop
    return {"digest": "ready"}


@app.get("/weather/{city}")
async def weather(city: str) -> dict[str, str]:
    answer = await app.state.weather.get("/forecast")  # planted: slow_upstream
    return {"city": city, "forecast": answer.text}


@app.get("/events")
async def events() -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.005)

    return StreamingResponse(lines(), media_type="text/event-stream")


@app.get("/archive")
def archive() -> StreamingResponse:
    def lines() -> Iterator[str]:
        with closing(database()) as connection:
            for row in connection.execute("SELECT id, title FROM story"):
                yield f"{row[0]} {row[1]}\n"

    return StreamingResponse(lines(), media_type="text/plain")


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE story (id INTEGER PRIMARY KEY, title TEXT)")
    connection.executemany("INSERT INTO story VALUES (?, ?)", [(n, f"story {n}") for n in range(1, 51)])
    return connection
