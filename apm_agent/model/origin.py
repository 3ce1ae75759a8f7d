"""Whose code a file is: the user's own, an installed package, the standard library or ours."""

from __future__ import annotations

import os
import sys

APP, LIB, STD, AGENT = "app", "lib", "std", "agent"

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: Where a wheel carries the example applications, which are a user's code wherever they lie.
_EXAMPLES = os.path.join(_PACKAGE, "cli", "example_apps", "")
_MARKS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
# Where `os` lies, and the modules made in C; `sysconfig` would say so for a tenth of our import time.
_FOLDERS = (
    os.path.dirname(os.__file__),
    os.path.join(sys.base_exec_prefix, sys.platlibdir, f"python{sys.version_info[0]}.{sys.version_info[1]}"),
)
_STD = tuple({os.path.join(path, "") for folder in _FOLDERS for path in (folder, os.path.realpath(folder))})
_CYTHON = (".pyx", ".pxi", ".pxd")
#: The commands of installed packages (gunicorn, flask): a few generated lines below every frame of theirs.
_SCRIPTS = tuple(
    {os.path.join(path, "") for path in (os.path.dirname(sys.executable), os.path.join(sys.prefix, "bin"))}
)


class Origin:
    """Tells files apart under one application root, and shortens their paths for people.

    `root` is the folder the user's code lies in ("" for any that is not installed). Installed code under the
    root (a virtualenv inside the project) is still ``lib``.
    """

    def __init__(self, root: str = "") -> None:
        self.root = os.path.join(os.path.abspath(root), "") if root else ""
        self._known: dict[str, str] = {}

    def of(self, path: str) -> str:
        """One of ``app``, ``lib``, ``std``, ``agent`` for a code object's file name."""
        known = self._known.get(path)
        if known is None:
            if len(self._known) > 20_000:
                self._known.clear()
            known = self._known[path] = self._tell(path)
        return known

    def _tell(self, path: str) -> str:
        if path.startswith(_EXAMPLES):
            return APP
        if path.startswith(_PACKAGE):
            return AGENT
        if any(mark in path for mark in _MARKS):
            return LIB
        if path.startswith(_SCRIPTS) and not path.endswith(".py"):
            return LIB
        if path.startswith("<frozen") or path.startswith(_STD):
            return STD
        # Exec'd or generated: namedtuple, dataclass, templates compiled from strings.
        if path.startswith("<"):
            return LIB
        # Cython names its sources as seen from where a package was built (``asyncpg/protocol/protocol.pyx``).
        if path.endswith(_CYTHON) and not os.path.exists(path):
            return LIB
        if self.root and not os.path.abspath(path).startswith(self.root):
            return LIB
        return APP

    def short(self, path: str) -> str:
        """The path as people write it: relative to the root, or to the folder packages are imported from."""
        if path.startswith(_EXAMPLES):
            return path[len(_EXAMPLES) :]
        for mark in _MARKS:
            at = path.rfind(mark)
            if at >= 0:
                return path[at + len(mark) :]
        for folder in _STD:
            if path.startswith(folder):
                return path[len(folder) :]
        full = os.path.abspath(path) if not path.startswith("<") else path
        if self.root and full.startswith(self.root):
            return full[len(self.root) :]
        return self._below_import_path(full)

    def _below_import_path(self, full: str) -> str:
        best = ""
        for entry in [os.getcwd(), *sys.path]:
            folder = os.path.join(os.path.abspath(entry), "")
            if full.startswith(folder) and len(folder) > len(best) and folder != os.sep:
                best = folder
        return full[len(best) :]
