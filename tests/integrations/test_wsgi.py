"""WSGI, spoken as PEP 3333 says, by hand and through the standard library's validator and server."""

from __future__ import annotations

import gc
import io
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

from apm_agent.config import Config
from apm_agent.integrations.wsgi import APMMiddleware, Middleware
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.blocks import span
from apm_agent.tracing.current import current, current_transaction
from apm_agent.tracing.verbs import ignore_transaction, rename_transaction
from hand import Hand

TEXT = [("Content-Type", "text/plain")]
Seen = list[Transaction]


def environ(path: str = "/", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": "", **more}
    setup_testing_defaults(made)
    return made


class Server:
    """Calls an application and keeps what it says."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app
        self.started: list[Any] = []
        self.written: list[bytes] = []

    def start_response(self, *args: Any) -> Callable[[bytes], Any]:
        self.started.append(args)
        return self.written.append

    def call(self, **more: Any) -> Iterable[bytes]:
        return self.app(environ(**more), self.start_response)

    def get(self, **more: Any) -> bytes:
        body = self.call(**more)
        try:
            return b"".join(body)
        finally:
            getattr(body, "close", lambda: None)()


def wrap(app: Callable[..., Any]) -> APMMiddleware:
    return APMMiddleware(app, enabled=False)


def listed(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", TEXT)
    return [b"one"]


class Streamed:
    """An application with a generator for a body; notes what happens to it."""

    def __init__(self, hand: Hand, headers: Any = TEXT, boom: BaseException | None = None) -> None:
        self.hand, self.headers, self.boom = hand, headers, boom
        self.closed = 0
        self.finished = False

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response("200 OK", self.headers)
        self.body = self.make()
        return Closing(self)

    def make(self) -> Iterator[bytes]:
        for part in (b"one", b"two", b"three"):
            with span("part"):
                self.hand.move(10)
                yield part
            if self.boom is not None:
                raise self.boom
        self.finished = True


class Closing:
    def __init__(self, app: Streamed) -> None:
        self.app = app

    def __iter__(self) -> Iterator[bytes]:
        return self.app.body

    def close(self) -> None:
        self.app.closed += 1
        with span("closing"):
            self.app.hand.move(5)


def test_a_list_is_passed_on_as_it_is(seen: Seen) -> None:
    body = [b"one"]
    server = Server(wrap(lambda environ, start: (start("200 OK", TEXT) and None) or body))
    assert server.call() is body  # servers take its length for the Content-Length
    assert server.started == [("200 OK", TEXT)]
    assert server.started[0][1] is TEXT
    [transaction] = seen
    assert (transaction.kind, transaction.method, transaction.status) == ("web", "GET", 200)


def test_a_body_with_a_length_keeps_it(seen: Seen) -> None:
    class Sized:
        def __len__(self) -> int:
            return 1

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"one"])

    body = Server(wrap(lambda environ, start: (start("200 OK", TEXT) and None) or Sized())).call()
    assert len(body) == 1  # type: ignore[arg-type]
    assert list(body) == [b"one"]
    body.close()  # type: ignore[attr-defined]
    assert len(seen) == 1


def test_a_body_without_a_length_gets_none(seen: Seen, hand: Hand) -> None:
    body = Server(wrap(Streamed(hand))).call()
    with pytest.raises(TypeError):
        len(body)  # type: ignore[arg-type]
    body.close()  # type: ignore[attr-defined]


def test_it_is_valid_wsgi_on_both_sides(seen: Seen) -> None:
    server = Server(validator(wrap(validator(listed))))
    body = server.app(environ(SCRIPT_NAME=""), lambda status, headers, exc_info=None: print)
    assert list(body) == [b"one"]
    body.close()
    assert len(seen) == 1


def test_r09_first_and_last_byte_are_timed_apart(seen: Seen, hand: Hand) -> None:
    app = Streamed(hand)
    body = Server(wrap(app)).call()
    hand.move(100)
    parts = iter(body)
    assert next(parts) == b"one"
    assert seen == []
    hand.move(100)  # the server sends
    assert next(parts) == b"two"
    assert next(parts) == b"three"
    assert seen == []
    assert list(parts) == []
    [transaction] = seen
    body.close()  # type: ignore[attr-defined]
    body.close()  # type: ignore[attr-defined]
    assert app.closed == 2, "passed on as often as it was called"
    assert transaction.first_byte_ns == 110
    assert transaction.duration_ns == 230
    assert [s.name for s in transaction.spans] == ["part", "part", "part"], "what runs on close is no part"
    assert all(s.parent is None and s.end_ns for s in transaction.spans)


def test_r09_between_the_steps_of_a_body_the_thread_is_free(seen: Seen, hand: Hand) -> None:
    one, two = Server(wrap(Streamed(hand))), Server(wrap(Streamed(hand)))
    first, second = one.call(path="/one"), two.call(path="/two")
    steps = [iter(first), iter(second), iter(second), iter(first)]
    for step in steps:
        next(step)
        assert current.get() is None
    for body in (first, second):
        body.close()  # type: ignore[attr-defined]
    assert [(t.name, [s.name for s in t.spans]) for t in seen] == [
        ("GET /one", ["part", "part", "closing"]),
        ("GET /two", ["part", "part", "closing"]),
    ]


def test_r09_a_generator_never_iterated(seen: Seen) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"one"

    body = Server(wrap(app)).call()
    assert seen == []
    body.close()  # type: ignore[attr-defined]
    [transaction] = seen
    assert transaction.status is None
    assert transaction.first_byte_ns is None


def test_r09_a_body_never_closed_ends_when_it_is_let_go(seen: Seen, hand: Hand) -> None:
    body = Server(wrap(Streamed(hand))).call()
    assert next(iter(body)) == b"one"
    assert seen == []
    del body
    assert len(seen) == 1


def test_r09_it_ends_as_the_last_byte_that_was_promised_is_handed_over(seen: Seen, hand: Hand) -> None:
    body = Server(wrap(Streamed(hand, [("Content-length", "6"), *TEXT]))).call()
    parts = iter(body)
    assert next(parts) == b"one"
    assert seen == []
    assert next(parts) == b"two"
    assert len(seen) == 1
    assert list(parts) == [b"three"], "whatever it promised, it is passed on"
    body.close()  # type: ignore[attr-defined]
    assert current.get() is None


@pytest.mark.parametrize("length", ["0", "-3", "rubbish", None])
def test_a_length_that_says_nothing_is_no_harm(seen: Seen, hand: Hand, length: Any) -> None:
    assert Server(wrap(Streamed(hand, [("Content-Length", length)]))).get() == b"onetwothree"
    assert len(seen) == 1


def test_r09_the_client_leaves(seen: Seen, hand: Hand) -> None:
    app = Streamed(hand)
    body = Server(wrap(app)).call()
    next(iter(body))
    body.close()  # type: ignore[attr-defined]
    [transaction] = seen
    assert not app.finished
    assert transaction.failure is None
    assert not transaction.failed


def test_r09_an_exception_in_the_middle(seen: Seen, hand: Hand) -> None:
    boom = ValueError("mid")
    body = Server(wrap(Streamed(hand, boom=boom))).call()
    with pytest.raises(ValueError, match="mid") as caught:
        list(body)
    assert caught.value is boom
    body.close()  # type: ignore[attr-defined]
    [transaction] = seen
    assert transaction.failure is not None
    assert transaction.failure.type == "ValueError"
    assert transaction.failure.place is not None
    assert transaction.failure.place[0].co_name == "make"


@pytest.mark.parametrize("own", [True, False], ids=["wsgiref", "with-a-close-of-its-class"])
def test_r09_a_file_stays_the_object_the_server_knows(seen: Seen, hand: Hand, own: bool) -> None:
    class Wrapper:
        def __init__(self, file: Any) -> None:
            self.file = file

        def close(self) -> None:
            self.file.close()

    made: list[Any] = []
    file = io.BytesIO(b"content")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        made.append(environ["wsgi.file_wrapper"](file))
        return made[0]

    body = Server(wrap(app)).call(**{"wsgi.file_wrapper": FileWrapper if own else Wrapper})
    assert body is made[0]
    assert seen == []
    hand.move(50)
    body.close()  # type: ignore[attr-defined]
    assert file.closed
    [transaction] = seen
    assert transaction.duration_ns == 50
    gone = weakref.ref(body)
    gc.disable()
    try:
        del body
        made.clear()
        assert gone() is None
    finally:
        gc.enable()


def test_r09_a_file_made_in_c_ends_as_it_is_handed_over(seen: Seen) -> None:
    class Wrapper:
        __slots__ = ()

    body = Server(wrap(lambda environ, start: (start("200 OK", TEXT) and None) or Wrapper())).call(
        **{"wsgi.file_wrapper": Wrapper}
    )
    assert isinstance(body, Wrapper)
    assert len(seen) == 1


def test_r09_exc_info_is_passed_on_and_kept_as_the_failure(seen: Seen) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        try:
            raise KeyError("lost")
        except KeyError:
            start_response("500 Oh", TEXT, sys.exc_info())
        return [b"sorry"]

    server = Server(wrap(app))
    assert server.get() == b"sorry"
    [(status, _, exc_info)] = server.started
    assert status == "500 Oh"
    assert exc_info[0] is KeyError
    assert seen[0].failure is not None
    assert seen[0].failure.type == "KeyError"


def test_what_start_response_returns_reaches_the_application(seen: Seen) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", TEXT)(b"written")
        return []

    server = Server(wrap(app))
    server.get()
    assert server.written == [b"written"]


def test_what_the_server_raises_reaches_the_application(seen: Seen) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("headers are set already")

    with pytest.raises(AssertionError, match="set already"):
        wrap(listed)(environ(), refuse)
    assert len(seen) == 1


def test_events_are_a_stream(seen: Seen, hand: Hand) -> None:
    Server(wrap(Streamed(hand, [("content-type", "text/event-stream; charset=utf-8")]))).get()
    assert seen[0].kind == "stream"


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_r18_whatever_is_raised_ends_it_and_passes_untouched(seen: Seen, kind: type[BaseException]) -> None:
    boom = kind("x")

    def app(environ: Any, start_response: Any) -> Any:
        span("left open").__enter__()
        raise boom

    with pytest.raises(kind) as caught:
        wrap(app)(environ("/a"), Server(app).start_response)
    assert caught.value is boom
    [transaction] = seen
    assert transaction.ended
    assert transaction.name == "GET /a"
    assert (transaction.failure is None) == (kind is GeneratorExit)
    assert transaction.status == (None if kind is GeneratorExit else 500)


class Upload:
    """A request body of 100 MB that counts what is read of it."""

    def __init__(self, size: int = 100 * 2**20) -> None:
        self.left, self.reads = size, 0

    def read(self, size: int = -1) -> bytes:
        self.reads += 1
        part = min(self.left, size)
        self.left -= part
        return b"x" * part


def test_r08_the_body_of_a_request_is_the_applications(seen: Seen) -> None:
    unread = Upload()
    Server(wrap(listed)).get(**{"wsgi.input": unread, "REQUEST_METHOD": "POST"})
    assert unread.reads == 0

    def reader(environ: Any, start_response: Any) -> list[bytes]:
        total = 0
        while part := environ["wsgi.input"].read(2**20):
            total += len(part)
        start_response("200 OK", TEXT)
        return [str(total).encode()]

    upload = Upload()
    assert Server(wrap(reader)).get(**{"wsgi.input": upload}) == b"104857600"
    assert upload.reads == 101


def test_r20_nothing_of_a_request_is_kept(seen: Seen, hand: Hand) -> None:
    class Canary(Exception):
        pass

    dead: list[weakref.ref[Any]] = []

    class Thing:
        pass

    def app(environ: Any, start_response: Any) -> Any:
        dead.append(weakref.ref(environ["thing"]))
        body = Streamed(hand)(environ, start_response)
        dead.append(weakref.ref(body))
        return body

    def failing(environ: Any, start_response: Any) -> Any:
        error = Canary()
        dead.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    gc.disable()
    try:
        Server(wrap(app)).get(thing=Thing())
        try:
            Server(wrap(failing)).get()
        except Canary:
            pass
        assert len(seen) == 2
        assert [ref() for ref in dead] == [None] * 3
    finally:
        gc.enable()


def test_r43_two_middlewares_are_one_transaction(seen: Seen, hand: Hand) -> None:
    Server(wrap(wrap(listed))).get()
    Server(wrap(wrap(Streamed(hand)))).get()
    assert len(seen) == 2


def test_a_request_the_application_makes_to_itself_belongs_to_it(seen: Seen) -> None:
    inner = wrap(listed)

    def app(environ: Any, start_response: Any) -> Any:
        Server(inner).get(path="/inner")
        return listed(environ, start_response)

    Server(wrap(app)).get(path="/outer")
    assert [t.name for t in seen] == ["GET /outer"]


def test_the_verbs_reach_the_transaction(seen: Seen) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        rename_transaction("search")
        if environ["PATH_INFO"] == "/quiet":
            ignore_transaction()
        return listed(environ, start_response)

    Server(wrap(app)).get()
    Server(wrap(app)).get(path="/quiet")
    assert [t.name for t in seen] == ["search"]


def test_off_is_not_there(seen: Seen) -> None:
    given: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        given.extend((environ, start_response, current_transaction()))
        return listed(environ, start_response)

    tracing.tracer = None
    server = Server(wrap(app))
    here = environ()
    before = dict(here)
    server.app(here, server.start_response)
    assert given == [here, server.start_response, None]
    assert here == before


def test_queue_time_is_read_from_the_proxy(seen: Seen) -> None:
    Server(wrap(listed)).get(HTTP_X_REQUEST_START="rubbish", HTTP_X_QUEUE_START="t=99999999999.5")
    Server(wrap(listed)).get(HTTP_X_REQUEST_START="t=1")
    assert [t.queue_ns for t in seen] == [None, None]


def test_a_developer_with_the_secret_asks_for_a_deep_look(seen: Seen) -> None:
    app = Middleware(listed, Config(cprofile_header="s3cret"))
    for sent in ("s3cret", "guess"):
        Server(app).get(HTTP_X_APM_PROFILE=sent)
    Server(wrap(listed)).get(HTTP_X_APM_PROFILE="s3cret")
    assert [t.notes for t in seen] == [{"cprofile": True}, None, None]
