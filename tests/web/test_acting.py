"""What pages may do with a line: asked of who may see the dashboard, as its settings allow, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from werkzeug.test import Client, TestResponse

from apm_agent.config import load
from apm_agent.errors import ConfigError
from apm_agent.exporters import EXPORTERS
from apm_agent.integrations import mount
from apm_agent.model.editor import EDITORS, pattern_of
from apm_agent.web.app import dashboard
from make_store import make

HERE = {"REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1"}
LINE = {"file": "shop.py", "line": "8", "name": "GET /orders", "range": "24h"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up day of a shop whose folder is a repository."""
    path = tmp_path_factory.mktemp("acting") / "apm.db"
    make(path, 400)
    folder = path.parent / "shop"
    times = os.stat(folder / "shop.py")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Open the <b>shop</b>"]):
        subprocess.run(
            ["git", "-c", "user.name=Ann", "-c", "user.email=a@example.com", *arguments],
            cwd=folder,
            check=True,
        )
    os.utime(folder / "shop.py", ns=(times.st_atime_ns, times.st_mtime_ns))
    return path


def get(store: Path, question: str, base: dict[str, str] = HERE, /, **settings: Any) -> TestResponse:
    client = Client(dashboard(f"sqlite:///{store}", **settings))
    return client.get(f"/api/v1/{question}", environ_base=base)


def test_a_line_of_an_endpoint_and_of_a_transaction(store: Path) -> None:
    told = get(store, f"blame?{urlencode(LINE)}").get_json()
    assert (told["blame"]["author"], told["blame"]["subject"]) == ("Ann", "Open the <b>shop</b>")
    traces = get(store, "traces?range=24h&kept=1&name=GET%20/orders").get_json()["traces"]
    again = get(store, f"blame?id={traces[0]['id']}&file=shop.py&line=8").get_json()
    assert again["blame"] == told["blame"]


def test_r38_a_stranger_learns_nothing(store: Path) -> None:
    for base in ({**HERE, "REMOTE_ADDR": "10.1.2.3"}, {**HERE, "HTTP_X_FORWARDED_FOR": "127.0.0.1"}):
        for question in (f"blame?{urlencode(LINE)}", "site", "saved?page=endpoint&name=GET%20/orders"):
            assert get(store, question, base).status_code == 403


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"line": "0"}, "line='0' is not a whole number from 1"),
        ({"line": "8; id"}, "line='8; id' is not a whole number"),
        ({"line": ""}, "line= is missing"),
        ({"file": ""}, "file= is missing"),
        ({"name": ""}, "id= or name= is missing"),
        ({"name": "GET /none"}, "there is no endpoint 'GET /none'"),
        ({"id": "77"}, "the transaction 0000000000000077 is not in the store"),
        ({"id": "../x"}, "'../x'"),
        ({"commit": "HEAD"}, "unknown parameter 'commit'"),
        ({"file": "x" * 1001}, "file= is longer than 1000"),
    ],
)
def test_r39_what_makes_no_sense_is_refused_by_name(store: Path, given: dict[str, str], said: str) -> None:
    answer = get(store, f"blame?{urlencode({**LINE, **given})}")
    assert answer.status_code == (404 if "there is no" in said or "not in the store" in said else 400)
    assert said in answer.get_json()["error"]["message"]


@pytest.mark.parametrize(
    "file",
    [
        "/etc/passwd",
        "../shop/shop.py",
        "shop.py\x00",
        "$(touch x)",
        "--help",
        "a\nb",
        "' OR 1=1 --",
        "\ud83d",
    ],
)
def test_r39_only_files_that_the_store_names_are_looked_at(store: Path, file: str) -> None:
    answer = get(store, f"blame?{urlencode({**LINE, 'file': file}, errors='replace')}")
    assert answer.status_code == 200
    assert answer.get_json()["blame"] is None
    assert "cannot be read" in answer.get_json()["why_none"]


def test_r40_a_post_asks_nothing(store: Path) -> None:
    client = Client(dashboard(f"sqlite:///{store}"))
    for question in ("blame", "site", "saved"):
        assert client.post(f"/api/v1/{question}", json=LINE, environ_base=HERE).status_code == 405


def test_r41_the_setting_blame_turns_it_off(store: Path) -> None:
    told = get(store, f"blame?{urlencode(LINE)}", blame=False).get_json()
    assert (told["blame"], told["why_none"]) == (None, "asking git is turned off here: setting blame")
    assert get(store, "site", blame=False).get_json()["blame"] is False
    config = load({"store": f"sqlite:///{store}", "blame": "off", "editor": "zed"}, {})
    inside = Client(mount.load(config, open_to_all=True))
    site = inside.get("/api/v1/site").get_json()
    assert (site["blame"], site["editor"]["link"]) == (False, EDITORS["zed"])


def test_r41_the_setting_editor_is_a_name_or_an_address(store: Path) -> None:
    assert get(store, "site").get_json()["editor"] is None, "no path of a file is told unless it is asked for"
    told = get(store, "site", editor="pycharm").get_json()["editor"]
    assert told == {
        "link": "pycharm://open?file={path}&line={line}",
        "paths": {"shop.py": str(store.parent / "shop" / "shop.py")},
    }
    own = "https://git.example.com/shop/blob/main/{file}#L{line}"
    assert get(store, "site", editor=own).get_json()["editor"]["link"] == own


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert('{path}')", "JavaScript:alert({path})", "data:text/html,{path}", "file:///{path}", "vscod",
        "vscode://file/x", "{path}", "blob:{path}", "view-source:{path}", "java\nscript:{path}", " javascript:{path}",
        "vbscript:{path}", 'myeditor://"{path}', "my://{path}{other}", "my://{path}" + "x" * 500, "my://{path} {line}",
    ],
)  # fmt: skip
def test_r39_an_editor_that_a_page_would_run_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one of vscode, "):
        pattern_of(text)
    with pytest.raises(ConfigError, match="editor"):
        load({"editor": text}, {})
    with pytest.raises(ConfigError, match="editor"):
        dashboard(f"sqlite:///{tmp_path}/apm.db", editor=text)


def test_every_format_is_offered_with_what_it_takes(store: Path) -> None:
    exports = get(store, "site").get_json()["exports"]
    assert {each["format"]: tuple(each["takes"]) for each in exports} == {
        name: row.takes for name, row in EXPORTERS.items()
    }
    assert not [each for each in exports if any(mark in each["opens"] for mark in "`[]()")]


def test_an_empty_store_offers_and_tells_nothing(tmp_path: Path) -> None:
    nothing = tmp_path / "none.db"
    assert get(nothing, "site", editor="vscode").get_json()["editor"]["paths"] == {}
    assert get(nothing, f"blame?file={quote('a.py')}&line=1&id=1").status_code == 404
