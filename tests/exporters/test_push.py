"""`apm-agent push`: a server that speaks Pyroscope's HTTP takes the profiles, and reads them by pprof's own schema."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from apm_agent.cli import cli
from apm_agent.queries import pushed
from apm_agent.queries.connection import connect
from make_store import make

#: The messages of https://github.com/google/pprof/blob/main/proto/profile.proto: name, number, type, repeated.
_MESSAGES = {
    "ValueType": (("type", 1, "int64", False), ("unit", 2, "int64", False)),
    "Sample": (("location_id", 1, "uint64", True), ("value", 2, "int64", True)),
    "Line": (("function_id", 1, "uint64", False), ("line", 2, "int64", False)),
    "Location": (("id", 1, "uint64", False), ("line", 4, "Line", True)),
    "Function": (("id", 1, "uint64", False), ("name", 2, "int64", False), ("filename", 4, "int64", False)),
    "Profile": (
        ("sample_type", 1, "ValueType", True), ("sample", 2, "Sample", True), ("location", 4, "Location", True),
        ("function", 5, "Function", True), ("string_table", 6, "string", True), ("time_nanos", 9, "int64", False),
        ("duration_nanos", 10, "int64", False), ("period_type", 11, "ValueType", False), ("period", 12, "int64", False),
        ("default_sample_type", 14, "int64", False),
    ),
}  # fmt: skip


def _profile() -> Any:
    field = descriptor_pb2.FieldDescriptorProto
    kinds = {"int64": field.TYPE_INT64, "uint64": field.TYPE_UINT64, "string": field.TYPE_STRING}
    file = descriptor_pb2.FileDescriptorProto(name="pprof.proto", package="pprof", syntax="proto3")
    for name, columns in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for column, number, kind, repeated in columns:
            label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            made = message.field.add(name=column, number=number, label=label)
            if kind in kinds:
                made.type = kinds[kind]
            else:
                made.type, made.type_name = field.TYPE_MESSAGE, f".pprof.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("pprof.Profile"))


class Taken:
    """One request, as such a server reads it."""

    def __init__(self, path: str, headers: Any, body: bytes) -> None:
        parts = urlsplit(path)
        self.path, self.headers = parts.path, headers
        self.asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        form = message_from_bytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + body)
        fields: dict[str, bytes] = {}
        for part in form.get_payload():
            content: Any = part.get_payload(decode=True)  # type: ignore[union-attr]
            fields[str(part.get_param("name", header="content-disposition"))] = content  # type: ignore[union-attr]
        self.config = json.loads(fields["sample_type_config"])
        self.profile = _profile().FromString(gzip.decompress(fields["profile"]))

    def total(self) -> int:
        """Nanoseconds of all samples."""
        return sum(sample.value[0] for sample in self.profile.sample)

    def names(self) -> set[str]:
        """All functions, each found by way of its location."""
        functions = {each.id: self.profile.string_table[each.name] for each in self.profile.function}
        lines = {each.id: each.line[0].function_id for each in self.profile.location}
        return {functions[lines[each]] for sample in self.profile.sample for each in sample.location_id}


@contextmanager
def taking(*statuses: int) -> Iterator[tuple[str, list[Taken]]]:
    """A server that answers with these statuses first, and then takes all."""
    taken: list[Taken] = []
    first = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = first.pop(0) if first else 200
            if status == 200:
                taken.append(Taken(self.path, self.headers, body))
            self.send_response(status)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an hour of 400 transactions that ended an hour ago: each of its windows is finished."""
    path = tmp_path_factory.mktemp("day") / "apm.db"
    make(path, 400, hours=1, now=time.time() - 3600)
    return path


def _push(day: Path, *arguments: str) -> Any:
    return CliRunner().invoke(cli, ["push", *arguments, "--store", str(day), "--once"])


def test_every_finished_window_arrives_once_and_whole(day: Path) -> None:
    with taking(503) as (url, taken):
        done = _push(day, url, "--range", "6h", "--header", "X-Scope-OrgID=shop", "--label", "env=a,b{c}")
    assert done.exit_code == 0, done.output
    with connect(f"sqlite:///{day}") as connection:
        now = time.time()
        windows = [
            each for t in pushed.finished(now - 6 * 3600, now) for each in pushed.profiles(connection, t)
        ]
    assert len(windows) > 4
    assert f"pushed {len(windows)} profiles" in done.output
    for one, window in zip(taken, windows, strict=True):
        assert (one.path, one.headers["X-Scope-OrgID"]) == ("/ingest", "shop")
        assert one.asked == {
            "name": f"{window.service}{{release={window.release},env=a_b_c_}}", "from": str(window.t),
            "until": str(window.t + 600), "format": "pprof", "spyName": "apm-agent",
        }  # fmt: skip
        table, kind = one.profile.string_table, one.profile.sample_type[0]
        assert (table[kind.type], table[kind.unit]) == ("wall", "nanoseconds")
        assert one.config["wall"]["units"] == "nanoseconds"
        assert (one.profile.time_nanos, one.profile.duration_nanos) == (window.t * 10**9, 600 * 10**9)
        assert one.total() == sum(window.profile.values()) > 0
        assert one.names() == {frame.function for stack in window.profile for frame in stack}


def test_a_window_is_finished_a_minute_after_its_end() -> None:
    assert pushed.finished(6000, 6059) == []
    assert pushed.finished(6000, 6060) == [5400]
    assert pushed.finished(6060, 6659) == []
    assert pushed.finished(6059, 7260) == [5400, 6000, 6600]


def test_what_is_wrong_is_said(day: Path) -> None:
    for address in ("localhost:4040", "ftp://h", "http://h/?a=b"):
        done = _push(day, address)
        assert "is no address of Pyroscope" in str(done.exception)
    assert "has no value" in str(_push(day, "http://h", "--label", "env").exception)
    with taking(401) as (url, _):
        done = _push(day, url, "--range", "6h")
    assert "answered 401" in str(done.exception)
