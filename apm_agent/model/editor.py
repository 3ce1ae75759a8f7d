"""Which address opens a line of code in somebody's editor: a name that is known, or a pattern of their own."""

from __future__ import annotations

import re

#: Name → pattern. ``{path}`` is the whole path and begins with a slash, ``{file}`` the path as pages show it.
EDITORS = {
    "vscode": "vscode://file{path}:{line}",
    "vscode-insiders": "vscode-insiders://file{path}:{line}",
    "vscodium": "vscodium://file{path}:{line}",
    "cursor": "cursor://file{path}:{line}",
    "windsurf": "windsurf://file{path}:{line}",
    "zed": "zed://file{path}:{line}",
    "pycharm": "pycharm://open?file={path}&line={line}",
    "idea": "idea://open?file={path}&line={line}",
    "sublime": "subl://open?url=file://{path}&line={line}",
    "textmate": "txmt://open?url=file://{path}&line={line}",
    "macvim": "mvim://open?url=file://{path}&line={line}",
    "emacs": "emacs://open?url=file://{path}&line={line}",
}

#: A scheme first, then printable ASCII without quotes, brackets and spaces; braces only around the three names.
_PATTERN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]{1,30}):(?:[!#$%&()*+,./0-9:;=?@A-Z_a-z~-]|\{path\}|\{file\}|\{line\})+"
)
#: Schemes that run or hold what they are given, or that a page may not open.
_NEVER = frozenset(
    {"about", "blob", "chrome", "data", "file", "filesystem", "javascript", "jar", "vbscript", "view-source"}
)
_LONGEST = 500


def pattern_of(text: str) -> str:
    """The pattern of an editor's name, or a pattern that is fit to be one; "" for none; raises `ValueError`."""
    text = text.strip()
    if not text or text in EDITORS:
        return EDITORS.get(text, "")
    found = _PATTERN.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or found["scheme"] in _NEVER or not ("{path}" in text or "{file}" in text):
        raise ValueError(
            f"one of {', '.join(EDITORS)}, or an address like myeditor://open?file={{path}}&line={{line}} "
            "with {path} or {file} in it, not of a scheme that a page would run"
        )
    return text
