"""The API hands out every format, with the type and the name of its row."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import Client, TestResponse

from apm_agent.exporters import EXPORTERS
from apm_agent.web.app import dashboard
from make_store import make

Ask = Callable[[str], TestResponse]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    """A dashboard of a made-up day."""
    path = tmp_path_factory.mktemp("day") / "apm.db"
    make(path, 1000)
    return Client(dashboard(f"sqlite:///{path}", open_to_all=True))


@pytest.fixture(scope="module")
def ask(client: Client) -> Ask:
    """The answer of `profile?…` over the day."""
    return lambda query: client.get(f"/api/v1/profile?range=24h&{query}")


@pytest.fixture(scope="module")
def one(client: Client) -> str:
    """The id of a transaction with a detail."""
    rows = client.get("/api/v1/traces?range=24h&kept=1&name=GET%20/orders").get_json()["traces"]
    found: str = rows[0]["id"]
    return found


@pytest.mark.parametrize("form", EXPORTERS)
def test_every_format_is_a_download(ask: Ask, one: str, form: str) -> None:
    row = EXPORTERS[form]
    answer = ask(f"format={form}&id={one}")
    assert (answer.status_code, answer.content_type) == (200, row.content_type)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{one}{row.ending}"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.data == ask(f"format={form}&id={one}").data, "the same profile is the same file"
    assert ask(f"format={form}").status_code == (404 if form == "chrome" else 200)


def test_the_source_can_be_chosen(ask: Ask) -> None:
    calls, samples = (
        ask(f"format=callgrind&name=POST%20/quote{more}").text for more in ("", "&source=profile")
    )
    assert "measured call by call" in calls
    assert "sampled; calls are not known" in samples
    assert "sampled" in ask("format=callgrind").text
    assert "measured" in ask("format=callgrind&source=callgraph").text
    refused = ask("format=pprof&source=callgraph")
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (400, "bad_parameter")
