"""Every setting, declared once: keyword, environment variable, framework key, type, default and documentation.

Order of precedence: argument, environment (``APM_AGENT_…``), framework (Django's ``APM_AGENT`` dict, Flask's
``APM_AGENT_…`` keys), default. A setting that is unknown or ill-typed stops the start. None is read later.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from apm_agent.errors import ConfigError

PREFIX = "APM_AGENT_"

_SIZES = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _YES + _NO:
        return value.strip().lower() in _YES
    raise ValueError("on or off")


def _text(value: Any) -> str:
    if isinstance(value, str) and "\x00" not in value:
        return value
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    raise ValueError("a text")


def _with_units(value: Any, units: dict[str, float], words: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str):
        text = value.strip().lower().replace(" ", "")
        unit = next((u for u in sorted(units, key=len, reverse=True) if text.endswith(u)), "")
        try:
            number = float(text[: len(text) - len(unit)]) * units.get(unit, 1)
        except ValueError:
            raise ValueError(words) from None
    else:
        raise ValueError(words)
    if not 0 <= number < 1e18:  # also refuses NaN
        raise ValueError(words)
    return number


def _duration(value: Any) -> float:
    return _with_units(value, _SECONDS, "a duration in seconds, or with a unit like 10ms, 1s, 7d")


def _size(value: Any) -> int:
    return int(
        _with_units(
            value, {k: float(v) for k, v in _SIZES.items()}, "a size in bytes, or with a unit like 512MB"
        )
    )


def _count(value: Any) -> int:
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("a whole number from 0")


def _share(value: Any) -> float:
    try:
        number = float(value) if not isinstance(value, bool) else -1.0
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError("a share from 0 to 1")
    return number


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(part, str) for part in value):
        return tuple(value) if isinstance(value, (list, tuple)) else tuple(sorted(value))
    raise ValueError("a list of texts, or one text with commas")


def _databases(value: Any) -> tuple[str, ...]:
    texts = _texts(value)
    if texts:
        from apm_agent.model.database import databases  # few set it, and it costs an import

        databases(texts)
    return texts


def _editor(value: Any) -> str:
    text = _text(value)
    if text:
        from apm_agent.model.editor import pattern_of  # few set it

        pattern_of(text)
    return text


def _rules(value: Any) -> tuple[str, ...]:
    from apm_agent.model import scrub_rules  # few set it

    texts = scrub_rules.split(value)
    scrub_rules.read(texts)
    return texts


def _function(value: Any) -> str:
    text = _text(value)
    module, colon, name = text.partition(":")
    if text and not (colon and all(part.isidentifier() for part in (*module.split("."), *name.split(".")))):
        raise ValueError("module:function, like shop.privacy:scrub")
    return text


def _thresholds(value: Any) -> tuple[tuple[str, float], ...]:
    if not value and isinstance(value, (str, Mapping, tuple)):
        return ()
    from apm_agent.model.threshold import UNITS  # few set it, and it costs an import

    if isinstance(value, str):
        value = dict(part.partition("=")[::2] for part in value.split(",") if part.strip())
    if not isinstance(value, Mapping):
        raise ValueError("names with their thresholds, like slow_query=100ms,repeated_query=20")
    given = {}
    for key, threshold in value.items():
        name = key.strip() if isinstance(key, str) else key
        if name not in UNITS:
            raise ValueError(f"thresholds; none is called {str(name)[:40]!r}, but: {', '.join(UNITS)}")
        try:
            given[name] = _READERS[UNITS[name]](threshold)
        except ValueError as error:
            shown = repr(threshold)[:40]
            raise ValueError(f"thresholds, of which {name} must be {error}, not {shown}") from None
    return tuple(sorted(given.items()))


def _from_one(value: Any) -> int:
    number = _count(value)
    if number < 1:
        raise ValueError("a whole number from 1")
    return number


_READERS: dict[str, Callable[[Any], float]] = {
    "duration": _duration,
    "count": _from_one,
    "size": _size,
    "share": _share,
}


#: Environments where nothing is told in responses.
_PRODUCTION = frozenset({"live", "prod", "production"})


def _setting(default: Any, parse: Callable[[Any], Any], doc: str, secret: bool = False) -> Any:
    return field(default=default, metadata={"parse": parse, "doc": doc, "secret": secret})


@dataclass(frozen=True)
class Config:
    """All settings of one process. Durations are seconds, sizes bytes; texts like ``10ms`` or ``512MB`` are read."""

    enabled: bool = _setting(
        True, _boolean, "Watch at all. Off: every verb does nothing and middlewares step aside."
    )
    service: str = _setting(
        "", _text, "Name of this application on the pages; empty: the working folder's name."
    )
    environment: str = _setting("", _text, "Where it runs, like production or staging.")
    release: str = _setting("", _text, "Version of the application; empty: from CI variables or git.")
    store: str = _setting("sqlite:///.apm-agent/apm.db", _text, "Where to keep what is seen, as a URL.")
    app_root: str = _setting("", _text, "Folder of your own code; empty: all that is not installed.")
    dashboard_path: str = _setting(
        "", _text, "Path that serves the dashboard inside the app, like /apm; empty: none."
    )
    dashboard_token: str = _setting(
        "", _text, "Lets whoever sends it see the dashboard from elsewhere.", secret=True
    )
    authorize: str = _setting("", _text, "module:function(request) that says who may see the dashboard.")
    explain: tuple[str, ...] = _setting(
        (), _databases, "Database URLs that the dashboard may ask for plans; none: it asks none.", secret=True
    )
    editor: str = _setting(
        "",
        _editor,
        "What opens a line from the pages: vscode, pycharm, zed, …, or a URL pattern; empty: none.",
    )
    blame: bool = _setting(
        True, _boolean, "Let the pages ask git who wrote a line of your own code, on a click."
    )
    ignore: tuple[str, ...] = _setting(
        (), _texts, "Endpoints and path prefixes of which nothing is kept, like /health."
    )
    instruments_off: tuple[str, ...] = _setting((), _texts, "Libraries to leave alone: sqlalchemy,httpx.")
    propagate_to: tuple[str, ...] = _setting(
        (), _texts, "Hosts of your own that calls tell their trace to: orders.internal,*.example.com."
    )
    scrub: tuple[str, ...] = _setting(
        (), _rules, "More that is secret: words of keys, and /patterns/ of values: patient,/P-[0-9]{6}/."
    )
    scrub_function: str = _setting(
        "", _function, "module:function(key, value) that answers what to keep of each value."
    )
    sampler: bool = _setting(True, _boolean, "Look at the stacks of running transactions.")
    sample_interval: float = _setting(0.01, _duration, "Time between two looks.")
    sampler_budget: float = _setting(
        0.01, _share, "Share of one core the sampler may take before it slows down."
    )
    cprofile_share: float = _setting(
        0.0, _share, "Share of transactions measured with cProfile, one at a time."
    )
    cprofile_header: str = _setting(
        "", _text, "Secret that, sent as X-Apm-Profile, measures that request.", secret=True
    )
    memory: bool = _setting(True, _boolean, "Read resident memory before and after each transaction.")
    gc: bool = _setting(True, _boolean, "Time garbage collections.")
    slow: float = _setting(0.5, _duration, "A transaction at least this long is slow: its detail is kept.")
    insight_thresholds: tuple[tuple[str, float], ...] = _setting(
        (), _thresholds, "From when on causes are told: slow_query=100ms,repeated_query=20; docs/insights.md."
    )
    developer: bool = _setting(
        False, _boolean, "Server-Timing and a small badge in responses, for you alone; refused in production."
    )
    log_slow: bool = _setting(False, _boolean, "Print one line for each slow transaction.")
    max_spans: int = _setting(2000, _count, "Spans kept of one transaction; more are summed by name.")
    max_queue: int = _setting(
        10_000, _count, "Finished transactions that may wait for the writer; more are dropped."
    )
    flush_interval: float = _setting(1.0, _duration, "Time between two writes.")
    max_details: int = _setting(
        20, _count, "Spans and samples kept a second a process beyond what is slow or failed."
    )
    max_size: int = _setting(512 * 2**20, _size, "Bytes the store may take.")
    max_age: float = _setting(7 * 86400.0, _duration, "How long single transactions are kept.")


NAMES = tuple(f.name for f in fields(Config))
SECRETS = frozenset(f.name for f in fields(Config) if f.metadata["secret"])


def load(
    arguments: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    framework: Mapping[str, Any] | None = None,
) -> Config:
    """One Config from the three sources; raises `ConfigError` naming the setting, the value and the cure."""
    given: dict[str, Any] = {}
    env = os.environ if environment is None else environment
    layers: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("framework setting", framework or {}),
        (
            "environment variable",
            {k[len(PREFIX) :].lower(): v for k, v in env.items() if k.startswith(PREFIX)},
        ),
        ("argument", arguments or {}),
    )
    for source, layer in layers:
        for name, value in layer.items():
            given[name] = _parse(source, name, value)
    config = Config(**given)
    if config.developer and config.environment.strip().lower() in _PRODUCTION:
        raise ConfigError(
            f"developer is on, but environment is {config.environment[:100]!r}: what it tells is not for visitors. "
            "Set developer=off there, or name another environment."
        )
    return config


def _parse(source: str, name: str, value: Any) -> Any:
    shown = PREFIX + name.upper() if source == "environment variable" else name
    declared = next((f for f in fields(Config) if f.name == name), None)
    if declared is None:
        import difflib  # of use only to somebody who reads this message

        guesses = difflib.get_close_matches(name, NAMES, n=1)
        guess = f" Did you mean {guesses[0]!r}?" if guesses else f" Settings are: {', '.join(NAMES)}."
        raise ConfigError(f"unknown {source} {shown!r} (value {_show(name, value)}).{guess}")
    try:
        return declared.metadata["parse"](value)
    except ValueError as error:
        raise ConfigError(f"{source} {shown} is {_show(name, value)}, but must be {error}.") from None


def _show(name: str, value: Any) -> str:
    return "[secret]" if name in SECRETS else repr(value)[:100]
