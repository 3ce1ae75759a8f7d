"""A read-only connection to the store's file, for whoever asks it something."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from apm_agent.clickhouse.address import is_clickhouse
from apm_agent.errors import QuestionError, StoreError
from apm_agent.queries.damage import TooSlowError, blame, in_words
from apm_agent.queries.mirror import Mirror, mirror_of
from apm_agent.queries.narrowed import Narrowed

#: The newest schema these queries were written for (`PRAGMA user_version`).
SCHEMA = 6

#: Longest time one request may keep the store busy.
PATIENCE = 5.0
_STEPS_BETWEEN_LOOKS = 20_000

Row = tuple[Any, ...]


def path_of(url: str) -> str:
    """The file a store URL names: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, or what mirrors a server."""
    if is_clickhouse(url):
        return mirror_of(url).path
    scheme, _, rest = url.partition("://")
    if scheme != "sqlite" or not rest.startswith("/") or len(rest) < 2 or "\x00" in rest:
        raise StoreError(f"store URL {url!r} cannot be read: it must look like sqlite:///path/to/apm.db")
    return rest[1:]


class Connection:
    """Answers statements from one file; without a file it answers nothing, which is not an error.

    Each statement is its own autocommit transaction and is read to its end at once, so that no reader keeps
    the write-ahead log from being reused. Before a file that mirrors a server answers, what the statement reads is
    drawn from there. With a `host` it answers as if that machine had written the file alone.
    """

    def __init__(self, path: str, mirror: Mirror | None = None, host: str = "") -> None:
        self.path = path
        self.mirror = mirror
        self.host = host
        #: all machines there are, where this sees but one of them
        self.hosts: list[str] = []
        self._narrowed: Narrowed | None = None
        #: in words, what the answers leave out; empty where they are drawn from all there is
        self.partial = ""
        if mirror is not None:
            mirror.begin()
        self.identity = self._now()
        self._deadline = time.monotonic() + PATIENCE
        self._raw = _open(path) if self.identity else None
        if self._raw is not None:
            try:
                self._raw.text_factory = _text
                if mirror is not None:
                    self._raw.create_function("blob_of", 1, self._blob)
                self._raw.set_progress_handler(self._look, _STEPS_BETWEEN_LOOKS)
                if not self._usable():
                    self.close()
                elif host and mirror is None:
                    self._narrowed = Narrowed(self._raw, host)
            except BaseException:
                self.close()
                raise

    @property
    def empty(self) -> bool:
        """There is no store yet: no file, or one whose tables are not made."""
        return self._raw is None

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of one statement."""
        if self._raw is None:
            return []
        if self.mirror is not None:
            began = time.monotonic()
            self.partial = self.mirror.provide(sql, parameters) or self.partial
            self._deadline += time.monotonic() - began
        try:
            if self._narrowed is not None:
                self._narrowed.provide(sql, parameters)
            return self._raw.execute(sql, parameters).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _in_words(error, self.path) from error
        except OverflowError as error:
            raise QuestionError("a number in the question is too large for the store") from error
        except UnicodeEncodeError as error:
            raise QuestionError("a text in the question is not valid Unicode") from error

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """The first row, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def schema(self) -> int:
        """The schema of the file as it is now: a writer may have brought it up since it was opened."""
        found = self.row("PRAGMA user_version")
        return int(found[0]) if found else SCHEMA

    def function(self, name: str, arguments: int, call: Any) -> None:
        """Make a Python function known to SQL."""
        if self._raw is not None:
            self._raw.create_function(name, arguments, call)

    def renew(self) -> None:
        """Begin a new request's time."""
        self.partial = ""
        self._deadline = time.monotonic() + PATIENCE

    def left_out(self, start: float) -> str:
        """In words, what answers about a time from `start` on leave out; empty where they are of all there is."""
        return self.partial if self._narrowed is None else self._narrowed.left_out(start)

    def current(self) -> bool:
        """Whether the path still names the file that was opened."""
        if self.mirror is not None:
            self.mirror.begin()
        return self._raw is not None and self._now() == self.identity

    def _now(self) -> tuple[int | str, ...] | None:
        found = _identity(self.path)
        if found and self.mirror is not None:
            return (*found, self.mirror.generation)
        return (*found, self.host) if found and self.host else found

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()
            self._raw = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        try:
            if error is not None:
                blame(self, error)
        finally:
            self.close()

    def _blob(self, number: int) -> bytes | None:
        """For the view that stands in the place of the table `traces`; the way to the server takes none of our time."""
        began = time.monotonic()
        found = self.mirror.blob(number) if self.mirror is not None else None
        self._deadline += time.monotonic() - began
        return found

    def _look(self) -> int:
        return time.monotonic() > self._deadline

    def _usable(self) -> bool:
        version = self.rows("PRAGMA user_version")[0][0]
        if version > SCHEMA:
            raise StoreError(
                f"the store {self.path} has schema {version}, but this apm-agent reads up to {SCHEMA}: "
                "upgrade apm-agent here, or point it at another store"
            )
        wanted = (
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('transactions', 'rollups')"
        )
        return bool(self.rows(wanted)[0][0] == 2)


def connect(url: str) -> Connection:
    """A connection to the store `url` names; close it, or use it in a with-block."""
    return Connection(os.path.abspath(path_of(url)), mirror_of(url) if is_clickhouse(url) else None)


#: Text as it was stored, also where that was not UTF-8: called for each of the thousands of texts in an answer.
_text = partial(str, encoding="utf-8", errors="replace")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"the store {path} cannot be read: {error.strerror or error}") from error
    return (found.st_dev, found.st_ino)


def _open(path: str) -> sqlite3.Connection:
    """Read-only; from a folder that may not be written (no -shm file can be made) as an unchanging file."""
    name = quote(path)
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        raw = sqlite3.connect(
            f"file:{name}?{mode}", uri=True, isolation_level=None, timeout=2, check_same_thread=False
        )
        try:
            raw.execute("SELECT count(*) FROM sqlite_master").fetchall()
        except sqlite3.OperationalError as error:
            raw.close()
            if "immutable" in mode or os.access(os.path.dirname(path), os.W_OK):
                raise _in_words(error, path) from error
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raw.close()
            raise _in_words(error, path) from error
        else:
            return raw
    raise AssertionError("unreachable")


def _in_words(error: sqlite3.Error | UnicodeDecodeError, path: str) -> StoreError:
    # SQLite quotes what it cannot make sense of, and Python cannot read that quote.
    text = "malformed" if isinstance(error, UnicodeDecodeError) else str(error)
    if "interrupted" in text:
        return TooSlowError(
            f"the question took longer than {PATIENCE:.0f} s and was stopped: choose a shorter range or "
            "narrower filters"
        )
    if "locked" in text:
        return StoreError(f"the store {path} is locked by another program; try again in a moment")
    if "not a database" in text or "malformed" in text:
        return StoreError(
            f"the store {path} is damaged ({text}); the agent sets it aside and begins anew when it writes"
        )
    if "integer overflow" in text:
        return StoreError(in_words(path, "numbers that add up to more than there can be"))
    return StoreError(f"the store {path} cannot be read: {text}")
