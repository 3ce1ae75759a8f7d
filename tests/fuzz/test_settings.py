"""Settings as the environment and frameworks give them: each is read, or refused with its name and no secret."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apm_agent.config import NAMES, PREFIX, SECRETS, Config, load
from apm_agent.errors import ConfigError

#: What people write, and what comes of templates, shells and typing errors.
TEXT = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from([
            "1", "0", "-1", "1e999", "nan", "inf", "10ms", "10 ms", "10MS", "7d", "512MB", "1_0", "٣", "on", "off",
            "true", "yes", "", " ", ",", "=", "/", "//", "(", "[a-z]+", "(a+)+", "\\", "module:function", ":", "a:b:c",
            "GET /a", "sqlite://", "sqlite:///x", "postgres://u:p@h/d", "${VAR}", "None", "null", "'", '"', "\x00",
            "slow_query", "repeated_query", "*.example.com", "vscode", "{file}", "{line}", "é", "\udcff",
        ]),
        max_size=6,
    ).map("".join),
)  # fmt: skip
CANARY = "c4n4ry-of-a-secret"
ANY = st.one_of(
    TEXT, st.integers(), st.floats(), st.none(), st.binary(max_size=9), st.lists(TEXT, max_size=3),
    st.dictionaries(TEXT, TEXT | st.integers(), max_size=3),
)  # fmt: skip


def read(arguments: dict[str, Any], environment: dict[str, str], framework: dict[str, Any]) -> Config | None:
    try:
        return load(arguments, environment, framework)
    except ConfigError as error:
        said = str(error)
        assert CANARY not in said
        assert len(said) < 3000
        said.encode("utf-8", "surrogateescape")
        return None


@settings(max_examples=120, deadline=None)
@given(
    st.dictionaries(st.sampled_from(NAMES), TEXT, max_size=3),
    st.dictionaries(st.sampled_from(NAMES), ANY, max_size=3),
)
def test_r41_any_environment_is_read_or_refused(
    environment: dict[str, str], framework: dict[str, Any]
) -> None:
    config = read({}, {f"{PREFIX}{name.upper()}": value for name, value in environment.items()}, framework)
    if config is not None:
        hash(config)  # nothing in it can be changed later
        for each in fields(Config):
            default = getattr(Config(), each.name)
            found = getattr(config, each.name)
            assert isinstance(found, type(default)) or isinstance(default, float), each.name


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(SECRETS)), TEXT, ANY)
def test_r41_no_refusal_tells_a_secret(name: str, before: str, other: Any) -> None:
    secret = f"{before}{CANARY}"
    read({name: secret}, {}, {})
    read({name: [secret, other]}, {}, {})
    read({}, {f"{PREFIX}{name.upper()}": secret}, {"developer": True, "environment": "production"})


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=30), ANY)
def test_r41_an_unknown_name_is_refused_by_its_name(name: str, value: Any) -> None:
    if name.lower() in NAMES:
        return
    for layers in (({name: value}, {}, {}), ({}, {}, {name: value})):
        assert read(*layers) is None
