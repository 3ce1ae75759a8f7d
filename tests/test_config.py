"""Every setting has a type, a place in the order of precedence, and an error that names value and cure."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apm_agent.config import SECRETS, Config, load
from apm_agent.errors import ConfigError


def test_defaults() -> None:
    assert load({}, {}) == Config()


def test_argument_beats_environment_beats_framework() -> None:
    env = {"APM_AGENT_SLOW": "200ms", "APM_AGENT_RELEASE": "env"}
    framework = {"slow": 3, "release": "framework", "service": "framework"}
    config = load({"slow": "1s"}, env, framework)
    assert (config.slow, config.release, config.service) == (1.0, "env", "framework")


@pytest.mark.parametrize(
    ("name", "given_value", "expected"),
    [
        ("sample_interval", "10ms", 0.01),
        ("max_age", "7d", 7 * 86400.0),
        ("max_size", "512MB", 512 * 2**20),
        ("max_size", 4096, 4096),
        ("enabled", "off", False),
        ("ignore", "GET /a, /health", ("GET /a", "/health")),
        ("max_spans", "17", 17),
        ("cprofile_share", "0.5", 0.5),
    ],
)
def test_values_are_read(name: str, given_value: Any, expected: Any) -> None:
    assert getattr(load({name: given_value}, {}), name) == expected


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        ({"sample_intervall": 1}, {}, r"unknown argument 'sample_intervall'.*Did you mean 'sample_interval'"),
        ({}, {"APM_AGENT_SLOWW": "1"}, r"unknown environment variable 'APM_AGENT_SLOWW'.*'slow'"),
        ({"slow": "soon"}, {}, r"argument slow is 'soon', but must be a duration"),
        ({"slow": float("nan")}, {}, r"must be a duration"),
        ({"slow": -1}, {}, r"must be a duration"),
        ({}, {"APM_AGENT_MAX_SIZE": "lots"}, r"APM_AGENT_MAX_SIZE is 'lots', but must be a size"),
        ({"enabled": "perhaps"}, {}, r"must be on or off"),
        ({"enabled": 1}, {}, r"must be on or off"),
        ({"cprofile_share": 2}, {}, r"share from 0 to 1"),
        ({"max_spans": True}, {}, r"whole number"),
        ({"max_spans": -3}, {}, r"whole number"),
        ({"ignore": 7}, {}, r"list of texts"),
        ({"store": 7}, {}, r"a text"),
    ],
)
def test_r41_a_bad_setting_stops_the_start(arguments: Any, environment: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load(arguments, environment)


def test_a_secret_is_never_shown() -> None:
    for name in SECRETS:
        with pytest.raises(ConfigError) as caught:
            load({name: 123456789}, {})
        assert "123456789" not in str(caught.value)


@given(
    st.sampled_from([f.name for f in fields(Config)]),
    st.text() | st.integers() | st.floats() | st.none() | st.binary(),
)
def test_any_value_is_read_or_refused_with_words(name: str, value: Any) -> None:
    try:
        load({name: value}, {})
    except ConfigError as error:
        assert name in str(error)  # noqa: PT017


def test_every_setting_says_what_it_is() -> None:
    for declared in fields(Config):
        doc = declared.metadata["doc"]
        assert doc.endswith("."), declared.name
        assert "|" not in doc, declared.name
