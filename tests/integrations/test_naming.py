"""Names: bounded in length and number, whatever clients send; facts read from headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apm_agent.integrations import naming
from apm_agent.integrations.facts import queue_ns, wishes
from apm_agent.model.transaction import ROUTE, USER, Transaction

NOW = 1_790_000_000_123_456_789


def transaction(method: str = "GET", path: str = "/", status: int | None = 200) -> Transaction:
    made = Transaction("web", naming.UNNAMED, 0)
    made.method, made.path, made.status = naming.method_of(method), naming.path_of(path), status
    return made


def named(path: str, status: int | None = 200, method: str = "GET") -> str:
    made = transaction(method, path, status)
    naming.settle(made)
    return made.name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "GET /"),
        ("/users", "GET /users"),
        ("/users/7", "GET /users/{id}"),
        ("/users/7/orders/2024", "GET /users/{id}/orders/{id}"),
        ("/u/123e4567-e89b-12d3-a456-426614174000", "GET /u/{id}"),
        ("/f/deadbeef01", "GET /f/{id}"),
        ("/who/ada@example.com", "GET /who/{id}"),
        ("/v2/status", "GET /v2/status"),
        ("/a/b/c/d/e/f/g/h", "GET /a/b/c/d/e/f/…"),
        ("/" + "x" * 90, "GET /{id}"),
    ],
)
def test_a_path_without_routes_is_named_with_its_data_left_out(seen: object, path: str, name: str) -> None:
    assert named(path) == name


def test_what_nobody_answered_has_one_name_a_status(seen: object) -> None:
    assert named("/a", 404) == named("/b", 404) == "GET 404"
    assert named("/a", 302) == "GET 302"
    assert named("/a", 304) == "GET /a"
    assert named("/a", 500) == "GET /a"
    assert named("/a", None) == "GET /a"


def test_r31_a_hundred_thousand_lost_paths_are_one_name(seen: object) -> None:
    assert {named(f"/x{n}/wp-login-{n}.php", 404) for n in range(100_000)} == {"GET 404"}
    assert len(naming._by_path) <= 1000


def test_r31_names_run_out_and_routes_are_not_crowded_out(seen: object) -> None:
    made_up = {named(f"/{a}{b}{c}x") for a in "abcdefgh" for b in "abcdefgh" for c in "abcdefgh"}
    assert len(made_up) == 201
    assert naming.OTHER in made_up
    routes = {naming.of_route("GET", f"/route-{n}") for n in range(1500)}
    assert len(routes) == 1001
    assert naming.of_route("GET", "/route-5") == "GET /route-5"


def test_r31_names_given_by_users_are_bounded_too(seen: object) -> None:
    names = set()
    for n in range(1500):
        made = transaction()
        made.rename(f"job \x00 {n}" + "x" * 500, USER)
        naming.settle(made)
        names.add(made.name)
    assert len(names) == 1001
    assert max(map(len, names)) == 200
    assert not any("\x00" in name for name in names)


@pytest.mark.parametrize("method", ["get", "BREW", "", "GET\r\n", "G" * 1000, "<script>", None, 7])
def test_methods_nobody_uses_share_one_word(method: object) -> None:
    assert naming.method_of(method) == "OTHER"


def test_a_path_is_kept_readable(seen: object) -> None:
    assert naming.path_of("/caf\u00c3\u00a9") == "/café"  # as WSGI hands it over
    assert naming.path_of("/café") == "/caf\ufffd"
    assert naming.path_of("/日本") == "/日本"
    assert naming.path_of("/a\x00b\x1b[31m\u202e") == "/a\ufffdb\ufffd[31m\ufffd"
    assert len(naming.path_of("/" + "a" * 10_000)) == 300


@given(st.text(max_size=400), st.text(max_size=10), st.integers(0, 999) | st.none())
def test_r39_whatever_is_sent_becomes_a_printable_bounded_name(
    path: str, method: str, status: int | None
) -> None:
    made = transaction(method, path, status)
    naming.settle(made)
    for text in (made.name, made.path or "", made.method or ""):
        assert len(text) <= 300
        assert text.isprintable()
        text.encode("utf-8")


def test_a_route_outranks_the_path_and_a_user_outranks_both(seen: object) -> None:
    made = transaction(path="/users/7")
    made.rename(naming.of_route("GET", "/users/<id>"), ROUTE)
    naming.settle(made)
    assert made.name == "GET /users/<id>"
    made.rename("mine", USER)
    naming.settle(made)
    assert made.name == "mine"


@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ("t=1790000000.023456789", 100_000_000),
        ("1790000000.023", 100_456_789),
        ("1790000000", 123_456_789),
        ("t=1790000000023", 100_456_789),
        ("1790000000023456", 100_000_789),
        (" t=1790000000023456789 ", 100_000_000),
        ("1790000000023.5", 99_956_789),
        ("1790000001", None),
        ("1789990000", None),
        ("0", None),
        ("", None),
        ("t=", None),
        ("-1790000000", None),
        ("1790000000abc", None),
        ("nan", None),
        ("9" * 5000, None),
        ("١٧٩٠٠٠٠٠٠٠", None),
        (None, None),
    ],
)
def test_queue_time_by_the_magnitude_of_the_number(header: str | None, waited: int | None) -> None:
    assert queue_ns(header, wall=NOW) == waited
    assert queue_ns("rubbish", header, wall=NOW) == waited


@given(st.text(max_size=80))
def test_any_header_is_a_bounded_time_or_unknown(header: str) -> None:
    waited = queue_ns(header, wall=NOW)
    assert waited is None or 0 <= waited <= 3600 * 10**9


def test_only_the_secret_asks_for_cprofile() -> None:
    assert wishes("s3cret", "s3cret") == {"cprofile": True}
    assert wishes("s3cret", b"s3cret") == {"cprofile": True}
    assert wishes("sécret", "s3cret") is None
    assert wishes("s3cret", "") is None
    assert wishes("s3cret", None) is None
    assert wishes("", "") is None


class View:
    def get(self) -> None: ...


def test_views_are_known_by_module_and_name() -> None:
    from functools import partial

    assert naming.view_of(View.get) == f"{__name__}:View.get"
    assert naming.view_of(partial(View.get, 1)) == f"{__name__}:View.get"
    assert naming.view_of(View()) == f"{__name__}:View"

    def as_view() -> None: ...

    as_view.view_class = View  # type: ignore[attr-defined]
    assert naming.view_of(as_view) == f"{__name__}:View"
