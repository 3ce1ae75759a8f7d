"""Secrets go, whatever holds them, and no input makes the scrubbing slow, endless or noisy."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apm_agent.model import scrub
from apm_agent.model.scrub import MASK, Scrubber, scrub_mapping, scrub_text
from apm_agent.model.scrub_rules import Rules, read

KEY = "sk9live7Q2w4E6r8T1y3U5i7"

texts = st.text(
    st.sampled_from("ab1 '\"\\@.:/=-_[]{}(),\n\x00é\ud800") | st.characters(), max_size=60
) | st.builds(
    "".join,
    st.lists(
        st.sampled_from(
            ["password=", "token: ", "'", '"', "bob@x.com", KEY, "1234 5678", "://u:p@h", "Bearer ", MASK, MASK[:5],
             " ", "x", ")=(", "eyJa.b.c", '{"a":', "}", "[", "]", "\\", "=", ":"]
        ),
        max_size=20,
    ),
)  # fmt: skip
long_texts = st.builds(lambda text, times: text * times, texts, st.integers(1, 200))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars | st.binary(max_size=3) | st.just(object()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | st.integers(), inner, max_size=4),
    max_leaves=30,
)


@pytest.fixture
def usual() -> Iterator[None]:
    yield
    scrub.configure()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("no price for 'Ann'", f"no price for {MASK}"),
        ("ask bob.b@example.com now", f"ask {MASK} now"),
        (f"key {KEY}", f"key {MASK}"),
        ("postgres://app:hunter2@db/shop", f"postgres://{MASK}@db/shop"),
        ("Authorization: Basic YXBwOmg= x", f"Authorization: {MASK} x"),
        ("sent Bearer abc.def", f"sent {MASK}"),
        ("card 4111 1111 1111 1111.", f"card {MASK}."),
        ("{'password': 12345, 'n': 2}", f"{{{MASK}: {MASK}, {MASK}: 2}}"),
        ("password=a b c", f"password={MASK} c"),
        ("api_key: x", f"api_key: {MASK}"),
        ("Key (name)=(Bob Smith) already exists.", f"Key (name)=({MASK}) already exists."),
        ("Failing row contains (7, Bob, 1).", f"Failing row contains ({MASK}"),
        ("near ''Ann' and x' at line 1", MASK),
        ("no\nLINE 1: SELECT 'Ann\n  ^", f"no\nLINE {MASK}\n  ^"),
        ("Command # 1 (SET Ann x) of pipeline caused error: no", f"{MASK} caused error: no"),
        ("took 12 ms in 3 steps", "took 12 ms in 3 steps"),
        ("it's fine", "it's fine"),
    ],
)
def test_a_message_keeps_what_is_no_secret(given: str, kept: str) -> None:
    if given.startswith("{"):  # a quoted key is masked whole, and its value with it
        assert "12345" not in scrub_text(given)
        return
    assert scrub_text(given) == kept


def test_a_quote_without_end_is_masked_as_far_as_it_is_read() -> None:
    assert scrub_text("no '" + "a b " * 400) == f"no {MASK}"


def test_keys_and_values_at_any_depth() -> None:
    given = {
        "user": {"id": 7, "password": "x", "mail": "say bob@x.com", "roles": ["a", {"token": 3}]},
        "credit": {"limit": 5},
        "card": 4111111111111111,
        "stamp": 1700000000000000,
        "none": None,
        "empty": {},
        "host": "ec2-54-12-34-56-compute.internal",
    }
    assert scrub_mapping(given) == {
        "user.id": 7, "user.password": MASK, "user.mail": f"say {MASK}", "user.roles.0": "a",
        "user.roles.1.token": MASK, "credit": MASK, "card": MASK, "stamp": 1700000000000000, "none": None,
        "empty": "{}", "host": "ec2-54-12-34-56-compute.internal",
    }  # fmt: skip


def test_an_address_keeps_its_host_and_path() -> None:
    url = f"https://app:hunter2@ec2-54-12-34-56-compute.internal:8443/reset/{KEY}?mail=x#{KEY}"
    kept = f"https://ec2-54-12-34-56-compute.internal:8443/reset/{MASK}"
    assert scrub_mapping({"url": url}) == {"url": kept}
    assert scrub_mapping({"url": kept}) == {"url": kept}


def test_json_in_a_text_is_scrubbed_as_what_it_says() -> None:
    body = json.dumps({"user": {"password": "x", "name": "Ann"}, "list": [{"token": 1}, KEY]})
    [kept] = scrub_mapping({"body": body}).values()
    assert json.loads(kept) == {"user": {"password": MASK, "name": "Ann"}, "list": [{"token": MASK}, MASK]}


@pytest.mark.parametrize(
    "cut",
    ['{"name": "hunter two"', '{"name": "hunter two', '["hunter two", ' + '"a", ' * 900 + "1]", "[" * 5000],
)
def test_json_that_cannot_be_read_loses_all_it_quotes(cut: str) -> None:
    assert "hunter" not in str(scrub_mapping({"body": cut}))


def test_json_in_json_is_read_too() -> None:
    inner = json.dumps({"password": "hunter two"})
    assert "hunter" not in str(scrub_mapping({"body": json.dumps({"inner": inner})}))


def test_what_goes_round_ends() -> None:
    ring: dict[str, Any] = {"n": 1}
    ring["ring"] = ring
    circle: list[Any] = []
    circle.append(circle)
    kept = scrub_mapping({"ring": ring, "circle": circle})
    assert kept["ring.n"] == kept["ring.ring.n"] == 1
    assert len(kept) <= 50


def test_objects_that_fight_back() -> None:
    class Text(str):
        def __str__(self) -> str:
            raise RuntimeError

        def __getitem__(self, _: Any) -> Any:
            raise RuntimeError

        def startswith(self, *_: Any) -> Any:
            raise RuntimeError

    class Bag(dict[Any, Any]):
        def items(self) -> Any:
            raise RuntimeError

        def __iter__(self) -> Any:
            raise RuntimeError

    class Colour(IntEnum):
        RED = 3

    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    given = {
        Text("name"): Text("Ann"),
        "bag": Bag(password=1, n=2),
        "colour": Colour.RED,
        Odd(): 1,
        "huge": 10**6000,
    }
    assert scrub_mapping(given) == {
        "name": "Ann", "bag.password": MASK, "bag.n": 2, "colour": 3, "<Odd>": 1, "huge": MASK,
    }  # fmt: skip


@settings(deadline=None)  # it is the machine that would be timed
@given(long_texts)
def test_r32_text_is_bounded_and_scrubbing_it_again_changes_nothing(text: str) -> None:
    kept = scrub_text(text)
    assert len(kept) <= 500
    assert "\x00" not in kept
    kept.encode()
    assert scrub_text(kept) == kept


@settings(deadline=None)  # it is the machine that would be timed
@given(st.dictionaries(texts | st.integers() | st.none(), values, max_size=6))
def test_r32_mappings_are_bounded_plain_and_stable(mapping: dict[Any, Any]) -> None:
    kept = scrub_mapping(mapping)
    assert len(kept) <= 50
    assert all(isinstance(key, str) and len(key) <= 100 for key in kept)
    assert all(value is None or isinstance(value, (str, int, float)) for value in kept.values())
    assert all(len(value) <= 500 for value in kept.values() if isinstance(value, str))
    assert all(math.isfinite(value) for value in kept.values() if isinstance(value, float))
    json.dumps(kept, allow_nan=False).encode()
    assert scrub_mapping(kept) == kept


@settings(deadline=None)  # it is the machine that would be timed
@given(values, st.sampled_from(["password", "X-Api-Key", "set_cookie", "user_token", "IBAN"]))
def test_r32_no_value_under_a_secret_key_is_kept(value: Any, key: str) -> None:
    assert scrub_mapping({"a": {key: value}}) == {f"a.{key}": MASK}


@settings(deadline=None)  # it is the machine that would be timed
@given(texts, texts)
def test_r32_a_long_key_is_found_wherever_it_stands(before: str, after: str) -> None:
    text = f"{before} {KEY} {after}"
    assert KEY not in scrub_text(text)
    assert KEY not in str(scrub_mapping({"note": text, "list": [text], "json": json.dumps({"x": text})}))


HOSTILE = [
    unit * (2_000 // len(unit))
    for unit in (
        "a.", "a@", "\\'", "'\\", "passw", "token.", "1 ", "a-", "[", "://", "eyJ", "eyJa.", "token ", "a1", "bearer ",
        ")=(", "+a", "token:", "near '", "Command # 1 (", "\nLINE 1", "'a\n", "token[", "{", '{"a":', '["', "a.b@",
        "1-",
    )
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:8]))
def test_r32_patterns_take_few_steps_on_hostile_texts(text: str) -> None:
    # Steps cannot be counted, but a text four times as long that took sixteen times the steps would not end here.
    for _ in range(5):
        scrub_text(text)
        scrub_mapping({"a": text, "b": [text] * 50})


class TestRules:
    def test_words_make_keys_secret_and_pairs_in_texts(self, usual: None) -> None:
        scrub.configure(read(("patient",)))
        assert scrub_mapping({"Patient_name": "Ann", "n": 1}) == {"Patient_name": MASK, "n": 1}
        assert scrub_text("patient=Ann Lee 7") == f"patient={MASK} 7"

    def test_patterns_are_masked_wherever_they_are_found(self, usual: None) -> None:
        scrub.configure(read((r"/\bP-[0-9]{6}\b/",)))
        assert scrub_text("no bed for P-123456 today") == f"no bed for {MASK} today"
        assert scrub_mapping({"note": "P-123456", "P-123456": 1}) == {"note": MASK, MASK: MASK}

    @settings(deadline=None)  # it is the machine that would be timed
    @given(texts)
    def test_r32_stay_stable_with_patterns_that_match_masks(self, text: str) -> None:
        scrubber = Scrubber(
            Rules(("scrub",), (re.compile("scrubbed"), re.compile("b+"), re.compile(r"\W{1,9}x")))
        )
        kept = scrubber.text(text)
        assert len(kept) <= 500
        assert scrubber.text(kept) == kept


def test_lazy_objects_stay_asleep() -> None:
    """`isinstance` asks an object for its `__class__`, and a lazy one then finds out what it stands for."""

    class Lazy:
        @property
        def __class__(self) -> type:  # type: ignore[override]
            raise RuntimeError("asked the database")

    assert scrub_mapping({"user": Lazy(), "more": [Lazy()]})["user"] == "<Lazy>"
