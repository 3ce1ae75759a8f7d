"""Takes secrets out of texts and mappings before they are kept; what it cannot judge it leaves out.

Everything is bounded before it is looked at (texts, keys, depth, how many values), and no pattern here takes more
than a few steps a character, so that hostile input costs nothing. Scrubbing what is scrubbed changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import islice
from math import isfinite
from typing import Any

from apm_agent.model.scrub_rules import LONGEST, USUAL, Rules

MASK = "[scrubbed]"
#: What is looked into. Asked of the type, never by isinstance: a lazy object, like Django's user or Flask's proxies,
#: would be made to find out what it stands for.
_READ = (str, int, float, type(None), dict, list, tuple)
_LONGEST_TEXT = 500
#: Characters of a text that are looked at.
_LONGEST_READ = 2_000
_LONGEST_KEY = 100
_MOST_KEYS = 50
_MOST_KNOWN = 1_000
_DEEPEST = 6
#: Values looked at of one mapping, however nested.
_MOST_VALUES = 200
#: Characters of texts looked at of one mapping; what is beyond is masked unread.
_MOST_READ = 20_000

#: Words that make the value beside them a secret, wherever they stand in a key: `user_password`, `X-Api-Key`.
_SECRET_KEY = (
    r"passw|passphrase|secret|token|api[-_ .]?key|apikey|access[-_ .]?key|private[-_ .]?key|auth|credential|cookie"
    r"|session|csrf|xsrf|jwt|bearer|signature|ssn|social[-_ .]?security|credit|card[-_ .]?num|cvv|cvc|iban|pin\b|otp"
)
_SECRET_PAIR = r"passw|secret|token|api[-_]?key|auth|credential|cookie|session|jwt"
_SHAPES = (
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"  # e-mail addresses
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # JSON web tokens
    r"|(?<=://)[^/\s@]{1,200}(?=@)"  # user:password in a URL
    r"|\b(?i:bearer)\s{1,4}[^\s\[]\S*"
    r"|\b(?=\w*\d)(?=\w*[A-Za-z])[A-Za-z0-9_-]{20,}"  # long keys of letters and digits
    r"|\b\d[\d -]{6,}\d\b"  # card, phone and account numbers
)
#: Messages quote what users typed. A quote with no end in sight is masked as far as it is read.
_QUOTED = "|".join(
    rf"{mark}(?:(?:[^{mark}\\\n]|\\.){{0,500}}{mark}|(?:[^{mark}\\\n]|\\.){{500,2000}})" for mark in "'\""
)
#: What servers repeat of what they refuse without quoting it well: PostgreSQL, MySQL, pipelines of redis.
_ROWS = (
    r"(?<=\)=\()[^)\n]+|(?<=Failing row contains \()[^\n]+|(?<=\nLINE )\d[^\n]*"
    r"|\bnear '[\s\S]*?(?:' at line \d+|\Z)|\bCommand # \d+ \([\s\S]*?(?:\) of pipeline|\Z)"
)
_IN_VALUE = re.compile(_SHAPES)
_IN_TEXT = re.compile(f"{_QUOTED}|{_ROWS}|{_SHAPES}")
_IN_BROKEN = re.compile(rf"{_QUOTED}|['\"][^'\"]*\Z|{_ROWS}|{_SHAPES}")  # a text that was cut ends in a quote
_LOGIN = re.compile(r"(?<=://)[^/\s@]{1,1000}@")
_HOST = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_CARD_DIGITS, _LEAST_CARD = range(14, 20), 10**13
#: (key, value) → the value to keep.
Function = Callable[[str, Any], Any]
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


class Scrubber:
    """The rules in force: the usual ones, what the user adds, and the user's function, which has the last word."""

    __slots__ = ("_function", "_known", "_pair", "_patterns", "_secret_key")

    def __init__(self, rules: Rules = USUAL, function: Function | None = None) -> None:
        words = "".join(f"|{re.escape(word)}" for word in rules.words)
        self._secret_key = re.compile(_SECRET_KEY + words, re.IGNORECASE)
        self._pair = re.compile(
            rf"(?i)((?:{_SECRET_PAIR}{words})[\w.-]{{0,30}}['\"]?\s{{0,4}}[=:]\s{{0,4}})"
            rf"(?!\[scrubbed\])([^\s\[]\S*(?:\s{{1,4}}(?!\[scrubbed\])\S+)?|\[\S*)"
        )
        self._patterns = rules.patterns
        self._function = function
        #: key → how it is shown, and whether what stands under it is secret; keys come again and again
        self._known: dict[str, tuple[str, bool]] = {}

    def is_secret(self, key: str) -> bool:
        """Whether a key names something that must not be kept."""
        return self._secret_key.search(key) is not None or any(p.search(key) for p in self._patterns)

    def text(self, text: str) -> str:
        """A message with quoted values, addresses, tokens, long keys and numbers masked."""
        return self._masked(_IN_TEXT, _plain(text, _LONGEST_READ))

    def kept(self, key: str, text: str) -> str:
        """The same of a text that is about to be kept under `key`, past the user's function."""
        return str(self._last_word(key, self.text(text)))

    def mapping(self, mapping: Mapping[Any, Any]) -> dict[str, Any]:
        """A flat mapping fit to keep; what is nested is named with dots."""
        kept: dict[str, Any] = {}
        whole = dict(mapping) if not isinstance(mapping, dict) else mapping
        found = self._structure("", whole, _DEEPEST, [_MOST_VALUES, _MOST_READ])
        if isinstance(found, dict):
            _flatten(kept, "", found)
        return kept

    def _structure(self, key: str, value: Any, depth: int, left: list[int]) -> Any:
        """The value without secrets, as deep and as large as it may be; what goes round ends with the depth."""
        left[0] -= 1
        if not issubclass(type(value), _READ):
            return self._last_word(key, _fit(value))
        if isinstance(value, dict) and depth and left[0] >= 0:
            kept = {}
            for name, inner in _first(value):
                if left[0] <= 0:
                    break
                named = _key(name)
                shown, secret = self._known.get(named) or self._judge(named)
                kept[shown] = (
                    self._last_word(named, MASK) if secret else self._structure(named, inner, depth - 1, left)
                )
            return kept
        if isinstance(value, (list, tuple)) and depth and left[0] >= 0:
            return [
                self._structure(key, inner, depth - 1, left) for inner in _items(value)[: max(0, left[0])]
            ]
        return self._last_word(key, self._scalar(key, value, depth, left))

    def _judge(self, key: str) -> tuple[str, bool]:
        # A pattern may find a key by its own value, so the key goes too.
        shown = self._value(key) if any(p.search(key) for p in self._patterns) else key
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        found = self._known[key] = shown, self.is_secret(key)
        return found

    def _scalar(self, key: str, value: Any, depth: int, left: list[int]) -> Any:
        if isinstance(value, str):
            return self._text_value(key, value, depth, left)
        return _number(value) if isinstance(value, int) and not isinstance(value, bool) else _fit(value)

    def _text_value(self, key: str, value: str, depth: int, left: list[int]) -> str:
        cut = _plain(value, _LONGEST_READ)
        left[1] -= len(cut)
        if left[1] < 0:
            return MASK
        if cut.lstrip()[:1] in ("{", "[") and not cut.lstrip().startswith(MASK):
            # What looks like JSON and cannot be read as such is masked as a message is: wherever it quotes.
            if len(value) <= _LONGEST_READ and depth:
                try:
                    inside = json.dumps(
                        self._structure(key, json.loads(cut), depth - 1, left), ensure_ascii=False
                    )
                except (ValueError, RecursionError):
                    inside = ""
                if inside and len(inside) <= _LONGEST_TEXT:
                    return inside
            return self._masked(_IN_BROKEN, cut)
        if key == "host":
            return self._host(cut)
        return self._address(cut) if key == "url" else self._value(cut)

    def _address(self, url: str) -> str:
        """Scheme, host and path of an address; not who logs in, nor what is asked there."""
        scheme, mark, rest = url.partition("#")[0].partition("?")[0].partition("://")
        if not mark:
            return self._masked(_IN_TEXT, scheme)
        authority, slash, path = rest.partition("/")
        host, colon, port = authority.rpartition("@")[2].partition(":")
        kept = f"{self._value(scheme)}://{self._host(host)}{colon}{self._value(port)}"
        return f"{kept}{slash}{self._masked(_IN_TEXT, path)}"[:_LONGEST_TEXT]

    def _host(self, name: str) -> str:
        # Machines have names as long and mixed as keys.
        return name if _HOST.fullmatch(name) else self._value(name)

    def _value(self, cut: str) -> str:
        return self._masked(_IN_VALUE, cut)

    def _masked(self, shapes: re.Pattern[str], text: str) -> str:
        if text.isalpha() and len(text) <= _LONGEST_TEXT and not self._patterns:
            return text  # one word, as most tags are
        # Cutting can make a secret's shape of what was none, and a mask is longer than some of what it masks.
        for _ in range(4):
            before = text
            text = shapes.sub(MASK, self._pair.sub(rf"\1{MASK}", text))
            for pattern in self._patterns:
                text = pattern.sub(_mask, text[:LONGEST])
            text = text[:_LONGEST_TEXT]
            if text == before:
                return text
        return text

    def _last_word(self, key: str, value: Any) -> Any:
        return value if self._function is None else _fit(self._function(key, value))


_in_force = Scrubber()


def configure(rules: Rules = USUAL, function: Function | None = None) -> None:
    """Scrub by these rules from now on, and by a function that never raises; without any, by the usual ones."""
    global _in_force
    _in_force = Scrubber(rules, function)


def scrub_text(text: str) -> str:
    """A message with quoted values, addresses, tokens, long keys and numbers masked, at most 500 characters.

    The user's function is not asked: this may be called on a thread of the application.
    """
    return _in_force.text(text)


def scrub_kept(key: str, text: str) -> str:
    """The same of a text that the writer is about to keep under `key`: the user's function has the last word."""
    return _in_force.kept(key, text)


def is_secret(key: str) -> bool:
    """Whether a key names something that must not be kept."""
    return _in_force.is_secret(key)


def without_login(value: Any) -> Any:
    """A setting as it may be shown: a URL without the user and password in it."""
    return _LOGIN.sub("", value) if isinstance(value, str) else value


def scrub_mapping(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    """At most 50 keys and scalar values fit to keep, for the writer: secret keys masked, texts scrubbed and bounded.

    What is nested becomes flat, as in ``user.name`` and ``items.0``; other objects are named by their type. JSON in
    texts is scrubbed as what it says. The user's function is asked for every value.
    """
    return _in_force.mapping(mapping)


def _mask(match: re.Match[str]) -> str:
    """A mask, unless what was found is part of one; a pattern that matches nothing leaves nothing behind."""
    at = match.string.find(MASK, max(0, match.end() - len(MASK)), match.start() + len(MASK))
    return match[0] if not match[0] or 0 <= at <= match.start() else MASK


def _plain(text: str, longest: int) -> str:
    cut = str.__str__(text)[:longest].replace("\x00", "")
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode("utf-8")


def _key(key: Any) -> str:
    return _plain(key if issubclass(type(key), str) else str(_fit(key)), _LONGEST_KEY)


def _first(mapping: dict[Any, Any]) -> list[tuple[Any, Any]]:
    try:
        return list(islice(dict.items(mapping), _MOST_KEYS))
    except RuntimeError:  # the application is changing it
        return []


def _items(values: list[Any] | tuple[Any, ...]) -> Any:
    kind: Any = list if isinstance(values, list) else tuple
    return kind.__getitem__(values, slice(0, _MOST_KEYS))


def _number(value: int) -> Any:
    plain = int.__int__(value)
    # What JSON cannot hold would be kept as a text, and so long a number is masked in a text.
    return plain if -(2**53) < plain < 2**53 and (plain < _LEAST_CARD or not _is_card(str(plain))) else MASK


def _is_card(text: str) -> bool:
    """Whether digits are a payment card's: it begins with 3 to 6 and its check digit is right (ISO/IEC 7812-1)."""
    if len(text) not in _CARD_DIGITS or text[0] not in "3456" or not text.isdigit():
        return False
    digits = [int(digit) for digit in reversed(text)]
    return (sum(digits[::2]) + sum(_DOUBLED[digit] for digit in digits[1::2])) % 10 == 0


def _fit(value: Any) -> Any:
    """A plain value of bounded length, whatever is given."""
    if not issubclass(type(value), _READ) or isinstance(value, (dict, list, tuple)):
        return f"<{_plain(type(value).__name__, _LONGEST_KEY)}>"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        plain = int.__int__(value)
        if -(2**53) < plain < 2**53:
            return plain
        return str(plain) if plain.bit_length() < 1_000 else "<int>"
    if isinstance(value, float):
        number = float.__pos__(value)
        return number if isfinite(number) else str(number)  # JSON knows no NaN
    return _plain(value, _LONGEST_TEXT)


def _flatten(kept: dict[str, Any], prefix: str, value: Any) -> None:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, part in inner:
        if len(kept) >= _MOST_KEYS:
            return
        key = f"{prefix}{name}"[:_LONGEST_KEY] if prefix else str(name)
        if isinstance(part, (dict, list)) and part:
            _flatten(kept, f"{key}.", part)
        else:
            kept[key] = str(part) if isinstance(part, (dict, list)) else part
