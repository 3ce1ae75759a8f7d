"""Reads what the setting `scrub` names: words that make keys secret, and patterns that nothing kept may match.

Patterns run on texts that strangers send, and Python's matcher tries, at worst, every way a pattern can be read. So
the ways are counted before one is used: what could take too many on one text is refused when the agent starts.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any, NamedTuple

#: Characters of a text that patterns look at.
LONGEST = 700
#: Ways in which a pattern may be tried from one place of a text. With 700 places and as many characters a way, the
#: worst text takes some milliseconds; one `+` or `*` takes 700 of them.
_MOST_WAYS = 4_000
_MOST_RULES = 100
_LONGEST_RULE = 500

#: Between commas stand words; a pattern stands between slashes and may hold commas.
_PART = re.compile(r"\s*(/(?:[^/\\]|\\.)*/|[^,]*)\s*(?:,|\Z)", re.DOTALL)


class Rules(NamedTuple):
    """What is secret beyond the usual."""

    words: tuple[str, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()


#: Nothing is secret beyond the usual.
USUAL = Rules()


def split(value: Any) -> tuple[str, ...]:
    """The rules in a text with commas, or in a list; raises ValueError where it is neither."""
    if isinstance(value, str):
        return tuple(part.strip() for part in _PART.findall(value) if part.strip())
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return tuple(part.strip() for part in value)
    raise ValueError(
        "words and /patterns/: a list of texts, or one text with commas, like patient,/\\bP-[0-9]{6}\\b/"
    )


def read(texts: tuple[str, ...]) -> Rules:
    """The rules that the texts name; raises ValueError that names the text at fault and what to do."""
    if len(texts) > _MOST_RULES:
        raise ValueError(f"at most {_MOST_RULES} rules, and these are {len(texts)}")
    words, patterns = [], []
    for text in texts:
        if len(text) > _LONGEST_RULE:
            raise ValueError(
                f"rules of at most {_LONGEST_RULE} characters, and {text[:40]!r}… has {len(text)}"
            )
        if text.startswith("/"):
            patterns.append(_pattern(text))
        elif len(text) < 2 or not any(letter.isalnum() for letter in text):
            raise ValueError(
                f"words of two letters or more, and {text!r} is none: it would make nearly every key a secret"
            )
        else:
            words.append(text)
    return Rules(tuple(words), tuple(patterns))


def _pattern(text: str) -> re.Pattern[str]:
    if len(text) < 3 or not text.endswith("/"):
        raise ValueError(f"patterns between two slashes, and {text!r} is not: write it as /…/")
    body = text[1:-1].replace("\\/", "/")
    try:
        pattern = re.compile(body)
        ways = _ways(_parser().parse(body))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"patterns that Python's re understands, and of {text} it says: {error}") from None
    if pattern.search("") is not None:
        raise ValueError(f"patterns that match something, and {text} matches the empty text, so any")
    if ways > _MOST_WAYS:
        raise ValueError(
            f"patterns that are quick on any text, and {text} could be tried in {_many(ways)} ways from one place, "
            f"more than {_MOST_WAYS:,}: write repeats with a bound, like {{1,20}} for + and *, one + or * at most, "
            "and [ab] for (a|b)"
        )
    return pattern


def _many(ways: int) -> str:
    return f"{ways:,}" if ways < 10**9 else "over a billion"


def _parser() -> Any:
    return import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")


_TOO_MANY = 10**12


def _ways(items: Any) -> int:
    """In how many ways a sequence can match from one place, at most: those of its parts, multiplied."""
    ways = 1
    for operation, argument in items:
        ways = min(_TOO_MANY, ways * _ways_of(str(operation), argument))
    return ways


def _ways_of(operation: str, argument: Any) -> int:
    if operation.endswith("REPEAT"):  # MAX_, MIN_ and POSSESSIVE_
        least, most, items = argument
        return _repeated(_ways(items), least, min(int(most), LONGEST))
    if operation == "BRANCH":
        return sum(_ways(items) for items in argument[1])
    if operation == "SUBPATTERN":
        return _ways(argument[-1])
    if operation in {"ASSERT", "ASSERT_NOT"}:
        return _ways(argument[1])
    if operation == "ATOMIC_GROUP":
        return _ways(argument)
    if operation == "GROUPREF_EXISTS":
        return sum(_ways(items) for items in argument[1:] if items is not None)
    return 1


def _repeated(once: int, least: int, most: int) -> int:
    ways = 0
    for times in range(least, max(least, most) + 1):
        ways += once**times
        if ways > _TOO_MANY:
            return _TOO_MANY
    return ways
