"""The walk of one request through the whole house, with nothing replaced: from `GET /users/7` to a page's answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

APP = """
import json, sqlite3, sys, threading, time, urllib.request
import apm_agent
from apm_agent.integrations.flask import init_app
from flask import Flask
from werkzeug.serving import make_server

app = Flask("walk")
init_app(app, service="walk", release="1.4.0", dashboard_path="/apm")
database = sqlite3.connect("walk.db", check_same_thread=False)
database.execute("create table if not exists users (id integer primary key, name text)")
database.execute("insert or replace into users values (7, 'Ada')")
database.commit()

def busy():
    end = time.thread_time() + 0.15
    while time.thread_time() < end:
        sum(range(50_000))                                 # the slow line

@app.get("/users/<int:id>")
def user(id):
    apm_agent.add_context(user=id, password="hunter2")
    row = database.execute("select name from users where id = ?", (id,)).fetchone()
    with apm_agent.span("compute", rounds=1):
        busy()
    return row[0]

server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"
get = lambda path: urllib.request.urlopen(base + path).read().decode()
body = get("/users/7")
assert apm_agent.flush(10)
endpoints = json.loads(get("/apm/api/v1/endpoints?range=15m"))
traces = json.loads(get("/apm/api/v1/traces?range=15m"))
trace = json.loads(get("/apm/api/v1/trace?id=" + traces["traces"][0]["id"]))
bytecode = json.loads(get("/apm/api/v1/bytecode?file=walk.py&function=busy&id=" + traces["traces"][0]["id"]))
server.shutdown()
print(json.dumps({"body": body, "endpoints": endpoints, "traces": traces, "trace": trace, "bytecode": bytecode}))
"""


def test_be_one_request(tmp_path: Path) -> None:
    (tmp_path / "walk.py").write_text(APP)
    run = subprocess.run(
        [sys.executable, "-W", "error", "walk.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout.splitlines()[-1])
    slow = next(i for i, line in enumerate(APP.splitlines(), 1) if "the slow line" in line)

    assert seen["body"] == "Ada"
    [endpoint] = seen["endpoints"]["endpoints"]
    assert endpoint["name"] == "GET /users/<int:id>"
    assert endpoint["count"] == 1
    assert endpoint["queries_per_call"] == 1
    assert endpoint["service"] == "walk"
    assert f"walk.py:{slow}" in endpoint["why"], endpoint["why"]
    [row] = seen["traces"]["traces"]
    assert row["duration_ms"] >= 150
    assert row["status"] == 200
    trace = seen["trace"]
    assert trace["trace"]["context"] == {"user": 7, "password": "[scrubbed]"}
    assert trace["trace"]["release"] == "1.4.0"
    spans = {span["name"]: span for span in trace["spans"]}
    assert spans["compute"]["tags"] == {"rounds": 1}
    [statement] = trace["statements"]
    assert statement["text"] == "select name from users where id = ?"
    assert trace["samples"], "150 ms of work is sampled"
    hot = trace["frames"][trace["samples"][len(trace["samples"]) // 2]["stack"][-1]]
    assert (hot["function"], hot["file"]) == ("busy", "walk.py")
    instructions = {
        one["line"]: [name for _, name, _ in one["instructions"]] for one in seen["bytecode"]["lines"]
    }
    assert any(name.startswith("CALL") for name in instructions[slow]), instructions
    assert seen["bytecode"]["python"] == seen["bytecode"]["ran_on"]
    assert (tmp_path / ".apm-agent" / "apm.db").stat().st_mode & 0o777 == 0o600
    assert b"hunter2" not in b"".join(
        p.read_bytes() for p in (tmp_path / ".apm-agent").iterdir() if p.is_file()
    )
