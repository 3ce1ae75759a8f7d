"""Takes secrets out of texts and mappings before they are kept; what it cannot judge it leaves out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

MASK = "[scrubbed]"
_LONGEST_TEXT = 500
_LONGEST_KEY = 100
_MOST_KEYS = 50

#: Words that make the value beside them a secret, wherever they stand in a key: `user_password`, `X-Api-Key`.
_SECRET_KEY = re.compile(
    r"passw|passphrase|secret|token|api[-_ .]?key|apikey|access[-_ .]?key|private[-_ .]?key|auth|credential|cookie"
    r"|session|csrf|xsrf|jwt|bearer|signature|ssn|social[-_ .]?security|credit|card[-_ .]?num|cvv|cvc|iban|pin\b|otp",
    re.IGNORECASE,
)
_IN_TEXT = re.compile(
    r"'(?:[^'\\\n]|\\.){0,2000}'|\"(?:[^\"\\\n]|\\.){0,2000}\""  # quoted values: messages quote what users typed
    r"|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # e-mail addresses
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # JSON web tokens
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user:password in a URL
    r"|\b(?=\w*\d)(?=\w*[A-Za-z])[A-Za-z0-9_-]{20,}"  # long keys of letters and digits
    r"|\b\d[\d -]{6,}\d\b"  # card, phone and account numbers
)
_PAIR = re.compile(
    r"(?i)\b([\w.-]*(?:passw|secret|token|api[-_]?key|auth|cookie|session)[\w.-]*)(\s*[=:]\s*)(\S+(?:\s+\S+)?)"
)


def scrub_text(text: str) -> str:
    """A message with quoted values, addresses, tokens, long keys and numbers masked, at most 500 characters."""
    cut = text[: _LONGEST_TEXT * 4].replace("\x00", "")
    cut = cut.encode("utf-8", "replace").decode("utf-8")
    cut = _PAIR.sub(rf"\1\2{MASK}", cut)
    return _IN_TEXT.sub(MASK, cut)[:_LONGEST_TEXT]


def is_secret(key: str) -> bool:
    """Whether a key names something that must not be kept."""
    return _SECRET_KEY.search(key) is not None


def scrub_mapping(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    """Keys and scalar values fit to keep: secret keys masked, texts bounded, other objects by their type's name."""
    kept: dict[str, Any] = {}
    for key, value in list(mapping.items())[:_MOST_KEYS]:
        name = str(key)[:_LONGEST_KEY].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
        kept[name] = MASK if is_secret(name) else _scalar(value)
    return kept


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if -(2**53) < value < 2**53 else str(value)[:_LONGEST_TEXT]
    if isinstance(value, float):
        return float(value) if isfinite(value) else str(value)  # JSON knows no NaN
    if isinstance(value, str):
        return _value_text(value)
    return f"<{type(value).__name__}>"


def _value_text(value: str) -> str:
    cut = value[:_LONGEST_TEXT].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return MASK if _IN_TEXT.fullmatch(cut) else cut
