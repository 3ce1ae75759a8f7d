"""Flask applications, called through Werkzeug's test client and dispatcher."""

from __future__ import annotations

import gc
import inspect
import logging
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, g, stream_with_context
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from apm_agent.errors import ConfigError
from apm_agent.integrations.flask import init_app
from apm_agent.integrations.wsgi import APMMiddleware
from apm_agent.model.scrub import scrub_text
from apm_agent.model.transaction import Transaction
from apm_agent.tracing.blocks import span
from apm_agent.tracing.verbs import rename_transaction

Seen = list[Transaction]


class Oops(Exception):
    pass


def shop(**settings: Any) -> Flask:
    app = Flask("shop")
    app.logger.setLevel(logging.CRITICAL)
    admin = Blueprint("admin", "admin", url_prefix="/admin")

    @app.get("/users/<int:id>")
    def user(id: int) -> str:
        return str(id)

    @app.get("/fail")
    def fail() -> str:
        raise Oops("card 4111111111111111")

    @app.get("/teapot")
    def teapot() -> str:
        abort(418)

    @app.get("/named")
    def named() -> str:
        rename_transaction("GET the named one")
        return ""

    @app.get("/stream")
    def stream() -> Response:
        def parts() -> Iterator[bytes]:
            for n in range(3):
                with span(f"part {n}"):
                    yield b"x"

        return Response(stream_with_context(parts()))

    @admin.post("/orders/<order>")
    def order(order: str) -> str:
        return order

    app.register_blueprint(admin)
    init_app(app, **{"enabled": False, **settings})
    return app


def call(app: Any, path: str, method: str = "GET") -> bytes:
    response = Client(app).open(path, method=method)
    try:
        return response.data
    finally:
        response.close()


def test_names_are_methods_and_rules(seen: Seen) -> None:
    app = shop()
    for path, method in [
        ("/users/7", "GET"), ("/users/8", "HEAD"), ("/users/x", "GET"), ("/nowhere", "GET"),
        ("/users/7", "POST"), ("/users/7", "BREW"), ("/admin/orders/a", "POST"), ("/teapot", "GET"),
        ("/static/none.css", "GET"), ("/named", "GET"),
    ]:  # fmt: skip
        call(app, path, method)
    assert [t.name for t in seen] == [
        "GET /users/<int:id>", "HEAD /users/<int:id>", "GET 404", "GET 404", "POST 405", "OTHER 405",
        "POST /admin/orders/<order>", "GET /teapot", "GET /static/<path:filename>", "GET the named one",
    ]  # fmt: skip
    assert seen[0].view == f"{__name__}:shop.<locals>.user"
    assert seen[7].status == 418
    assert not seen[7].failed


@pytest.mark.parametrize("around", ["init_app", "wrapped"])
def test_the_exception_flask_turned_into_an_answer_is_the_failure(seen: Seen, around: str) -> None:
    app = shop()
    if around == "wrapped":
        bare = Flask("bare")
        bare.logger.setLevel(logging.CRITICAL)
        bare.add_url_rule("/fail", view_func=app.view_functions["fail"])
        call(APMMiddleware(ProxyFix(bare), enabled=False), "/fail")
    else:
        call(app, "/fail")
    [transaction] = seen
    assert (transaction.name, transaction.status) == ("GET /fail", 500)
    assert transaction.failure is not None
    assert transaction.failure.type == f"{__name__}.Oops"
    assert "4111" not in scrub_text(transaction.failure.message)  # as the writer does
    assert transaction.failure.place is not None
    assert transaction.failure.place[0].co_name == "fail"


def test_a_handled_exception_is_no_failure(seen: Seen) -> None:
    app = shop()
    app.register_error_handler(Oops, lambda error: ("sorry", 409))
    assert call(app, "/fail") == b"sorry"
    assert (seen[0].status, seen[0].failure) == (409, None)


def test_r09_spans_of_a_streamed_body_belong_to_it(seen: Seen) -> None:
    assert call(shop(), "/stream") == b"xxx"
    [transaction] = seen
    assert [s.name for s in transaction.spans] == ["part 0", "part 1", "part 2"]


def test_r43_init_app_twice_and_a_middleware_around_are_one_transaction(seen: Seen) -> None:
    app = shop()
    before = app.wsgi_app
    init_app(app, enabled=False)
    assert app.wsgi_app == before
    call(APMMiddleware(app, enabled=False), "/users/7")
    assert [t.name for t in seen] == ["GET /users/<int:id>"]


def test_a_dispatchers_prefix_is_part_of_the_name(seen: Seen) -> None:
    inner = Flask("inner")
    inner.add_url_rule("/users/<id>", view_func=lambda id: id)
    both = DispatcherMiddleware(shop(), {"/inner": inner})
    call(APMMiddleware(both, enabled=False), "/inner/users/7")
    call(APMMiddleware(both, enabled=False), "/users/7")
    assert [t.name for t in seen] == ["GET /inner/users/<id>", "GET /users/<int:id>"]


def test_an_application_goes_with_its_last_reference(seen: Seen) -> None:
    class Own(Flask):
        pass

    for kind in (Flask, Own):
        app = kind("shop")
        init_app(app, enabled=False)
        gone = weakref.ref(app)
        collecting = gc.isenabled()
        gc.disable()
        try:
            del app
            assert gone() is None
        finally:
            if collecting:
                gc.enable()


def test_its_wsgi_app_alone_keeps_an_application(seen: Seen) -> None:
    application = shop().wsgi_app
    call(application, "/users/7")
    assert [t.name for t in seen] == ["GET /users/<int:id>"]


def test_a_wsgi_app_of_its_own_or_wrapped_before_is_watched_from_outside(seen: Seen) -> None:
    class Own(Flask):
        def wsgi_app(self, environ: Any, start_response: Any) -> Any:
            with span("own"):
                return super().wsgi_app(environ, start_response)

    own, wrapped = Own("own"), Flask("wrapped")
    wrapped.wsgi_app = ProxyFix(wrapped.wsgi_app)  # type: ignore[method-assign]
    for app in (own, wrapped):
        app.add_url_rule("/", view_func=lambda: "hello")
        init_app(app, enabled=False)
        assert call(app, "/") == b"hello"
    assert [(t.name, len(t.spans)) for t in seen] == [("GET /", 1), ("GET /", 0)]


def test_an_application_that_is_not_watched_answers_beside_one_that_is(seen: Seen) -> None:
    shop()
    bare = Flask("bare")
    bare.add_url_rule("/", view_func=lambda: "hello")
    assert call(bare, "/") == b"hello"
    assert seen == []
    assert inspect.signature(Flask.wsgi_app).parameters.keys() == {"self", "environ", "start_response"}


def test_settings_come_from_the_applications_config(seen: Seen) -> None:
    app = Flask("shop")
    app.config["APM_AGENT_ENABLED"] = "off"
    app.config["APM_AGENT_SLOW"] = "fast"
    with pytest.raises(ConfigError, match="framework setting slow is 'fast'"):
        init_app(app)
    app.config["APM_AGENT_SLOW"] = "2s"
    app.config["APM_AGENT_SLO"] = "2s"
    with pytest.raises(ConfigError, match="Did you mean 'slow'"):
        init_app(app)


def test_r20_requests_and_exceptions_are_let_go(seen: Seen) -> None:
    app = shop()
    dead: list[weakref.ref[Any]] = []

    class Thing:
        pass

    @app.before_request
    def before() -> None:
        g.thing = Thing()
        dead.append(weakref.ref(g.thing))

    @app.errorhandler(500)
    def sorry(error: Any) -> tuple[str, int]:
        dead.append(weakref.ref(error.original_exception))
        return "sorry", 500

    call(app, "/users/7")
    call(app, "/fail")
    gc.collect()  # Flask's own frames and exceptions are circles
    assert len(dead) == 3
    assert [ref() for ref in dead] == [None] * 3
    assert len(seen) == 2
