"""Makes names fit for formats that people read or that lines and quotes divide."""

from __future__ import annotations

import unicodedata

from apm_agent.model.callgraph import Node
from apm_agent.model.profile import Frame

#: Controls, what turns the direction of text, half surrogate pairs, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
NO_FRAMES = "(no frames)"


def visible(text: str, most: int = 0) -> str:
    """The text with what cannot be seen written out (``\\n``, ``\\u202e``), cut in the middle at `most`."""
    if most and len(text) > most:
        text = f"{text[: most // 2]}…{text[-(most // 2) :]}"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(letter) for letter in text)


def label(frame: Frame, most: int = 0) -> str:
    """``function (file:line)``."""
    place = f" ({visible(frame.file, most)}:{frame.line})" if frame.file else ""
    return f"{visible(frame.function, most).strip() or '?'}{place}"


def node_of(frame: Frame) -> Node:
    """The function of a frame. Its first line is not known, only the one that ran: 0 stands for that."""
    return Node(frame.path or frame.file, 0, frame.function)


def _shown(letter: str) -> str:
    if unicodedata.category(letter) in _UNSEEN:
        return letter.encode("unicode_escape", "surrogatepass").decode()
    return letter
