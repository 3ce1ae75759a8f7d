"""boto3 against a small responder that answers as S3 and DynamoDB do; no AWS is to be had here."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import botocore.client
import botocore.exceptions
import pytest
from botocore.config import Config

from apm_agent.instruments import patching
from servers import free_port

SECRET = "hunter2"


class Responder(BaseHTTPRequestHandler):
    """S3 by paths (a key `missing` is not there, `busy` only at the second time), DynamoDB by its header."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    asked: list[str] = []  # noqa: RUF012  (one responder a test run)

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append(self.path)
        kind = "application/xml"
        if self.headers.get("X-Amz-Target"):
            status, kind, body = 200, "application/x-amz-json-1.0", json.dumps({"TableNames": ["a"]})
        elif "missing" in self.path:
            status, body = 404, "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>"
        elif "busy" in self.path and sum("busy" in path for path in self.asked) == 1:
            status, body = 503, "<Error><Code>SlowDown</Code><Message>later</Message></Error>"
        else:
            status, body = 200, "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_PUT = do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    Responder.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Responder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service, endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="AKIA",
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 2, "mode": "standard"}, s3={"addressing_style": "path"}),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_a_call_is_one_span_without_its_parameters(instruments: None, endpoint: str, traced: Any) -> None:
    store, table = client("s3", endpoint), client("dynamodb", endpoint)
    with traced() as spans:
        assert store.list_buckets()["Buckets"] == []
        store.put_object(Bucket="orders", Key=SECRET, Body=SECRET.encode())
        assert store.get_object(Bucket="orders", Key=SECRET)["Body"].read()
        assert table.list_tables()["TableNames"] == ["a"]
    host = endpoint.partition("//")[2]
    said = {"url": endpoint, "region": "eu-west-1", "status": 200}
    assert [(span.kind, span.name, span.tags) for span in spans] == [
        ("http", f"ListBuckets {host}", {**said, "service": "s3"}),
        ("http", f"PutObject {host}", {**said, "service": "s3"}),
        ("http", f"GetObject {host}", {**said, "service": "s3"}),
        ("http", f"ListTables {host}", {**said, "service": "dynamodb"}),
    ]
    assert spans[0].place[0].co_name == "test_a_call_is_one_span_without_its_parameters"


def test_retries_are_part_of_it(instruments: None, endpoint: str, traced: Any) -> None:
    store = client("s3", endpoint)
    with traced() as spans:
        store.get_object(Bucket="orders", Key="busy")["Body"].read()
    assert [(span.tags["status"], span.tags["retries"]) for span in spans] == [(200, 1)]


def test_r18_errors_close_spans_and_pass_through(instruments: None, endpoint: str, traced: Any) -> None:
    store, nobody = client("s3", endpoint), client("s3", f"http://127.0.0.1:{free_port()}")
    with traced() as spans:
        with pytest.raises(store.exceptions.NoSuchKey):
            store.get_object(Bucket="orders", Key="missing")
        with pytest.raises(botocore.exceptions.ParamValidationError):
            store.get_object(Bucket="orders", Nonsense=1)
        with pytest.raises(botocore.exceptions.EndpointConnectionError):
            nobody.list_buckets()
    assert [(s.tags["error"], s.tags.get("status"), s.tags.get("code")) for s in spans] == [
        ("NoSuchKey", 404, "NoSuchKey"),
        ("ParamValidationError", None, None),
        ("EndpointConnectionError", None, None),
    ]


def test_outside_a_transaction_nothing_is_kept(instruments: None, endpoint: str, sink: list[Any]) -> None:
    assert client("s3", endpoint).list_buckets()["Buckets"] == []
    assert sink == []


def test_r12_r43_clients_are_what_they_were() -> None:
    owner, name = botocore.client.BaseClient, "_make_api_call"
    before, signature = vars(owner)[name], str(inspect.signature(getattr(owner, name)))
    patching.apply()
    try:
        assert vars(owner)[name] is not before
        assert str(inspect.signature(getattr(owner, name))) == signature
        assert inspect.isfunction(getattr(owner, name))
    finally:
        patching.remove()
    assert vars(owner)[name] is before
