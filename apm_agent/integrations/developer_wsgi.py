"""Tells a developer in the responses of a WSGI application, around the middleware that times it.

Only a response that says it is a whole page of HTML is held until its body is at hand, which is at its first chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from apm_agent.config import Config
from apm_agent.errors import contained
from apm_agent.integrations import developer
from apm_agent.integrations.developer import Developer

Answer = Callable[..., Iterable[bytes]]

_telling = contained("telling a developer of a response")


def around(answer: Answer, config: Config, key: str) -> Answer:
    """`answer` of a middleware, and then what is told; `key` is where a request carries its transaction."""
    told = developer.of(config)

    def telling(
        app: Answer, framework: Any, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        start: _Start | None = None
        with _telling:
            if key not in environ:
                start = _of(environ, told, key, start_response)
        if start is None:
            return answer(app, framework, environ, start_response)
        body = answer(app, framework, environ, start)
        if not start.held:
            start.late = True
            return body
        if isinstance(body, (list, tuple)):
            return cast("Iterable[bytes]", start.whole(body))
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            start.go()
            return body
        return _Body(start, body)

    return telling


def _of(
    environ: dict[str, Any], told: Developer, key: str, start_response: Callable[..., Any]
) -> _Start | None:
    sent = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    }
    peer, protocol = environ.get("REMOTE_ADDR") or "", environ.get("SERVER_PROTOCOL", "")
    if not told.tells(peer, sent, protocol):
        return None
    page = bool(told.mount) and developer.wants_page(environ.get("REQUEST_METHOD", ""), sent)
    # Frameworks may change it below a mount of theirs.
    return _Start(start_response, environ, told, key, environ.get("SCRIPT_NAME", ""), page)


class _Start:
    """`start_response` of one request: holds back what may get a badge, and adds the header to all."""

    __slots__ = (
        "environ", "held", "key", "late", "length", "page", "prefix", "spans", "start_response", "told", "transaction",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917
        self,
        start_response: Callable[..., Any],
        environ: dict[str, Any],
        told: Developer,
        key: str,
        prefix: str,
        page: bool,
    ) -> None:
        self.start_response = start_response
        self.environ = environ
        self.told = told
        self.key = key
        self.prefix = prefix
        self.page = page
        self.held: tuple[str, Any, Any] | None = None
        self.late = False
        self.length = 0
        self.transaction: Any = None
        self.spans: Any = None

    def __call__(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        if self.held is not None and exc_info is None:
            self.go()  # a second start is the application's fault, which the server tells it
        self.held = None
        hold = False
        with _telling:
            self.transaction = self.environ.get(self.key)
            if self.transaction is not None and isinstance(headers, list):
                self.spans = self.transaction.spans
                if self.page and not self.late:
                    length = developer.fits(int(status[:3]), headers)
                    hold = length is not None
                    self.length = length or 0
        if hold:
            self.held = (status, headers, exc_info)
            return self._write
        return self._start(status, self._with_times(headers), exc_info)

    def _write(self, data: bytes) -> Any:
        """The old way to send a body: what was held goes first, as it came."""
        return self.go()(data)

    def go(self) -> Any:
        """Start the held response as it came."""
        if self.held is None:
            return None
        (status, headers, exc_info), self.held = self.held, None
        return self._start(status, self._with_times(headers), exc_info)

    def whole(self, chunks: Any) -> Any:
        """Start the held response with a body that is all there, and answer what to send."""
        if all(isinstance(chunk, bytes) for chunk in chunks):
            changed = self.mark(b"".join(chunks))
            return chunks if changed is None else [changed]
        self.go()
        return chunks

    def mark(self, body: bytes) -> bytes | None:
        """Start the held response; the body to send instead of the one given, if there is one."""
        if self.held is None:
            return None
        changed: bytes | None = None
        status, headers, exc_info = self.held
        with _telling:
            if isinstance(body, bytes) and len(body) == self.length and self.spans is not None:
                figures = developer.told(self.transaction, self.spans)
                changed = developer.with_badge(
                    body, self.told.snippet(self.transaction, figures, self.prefix)
                )
        if changed is None:
            self.go()
            return None
        self.held = None
        self._start(status, self._with_times(developer.lengthened(headers, len(changed))), exc_info)
        return changed

    def _with_times(self, headers: Any) -> Any:
        with _telling:
            if self.spans is not None:
                value = developer.told(self.transaction, self.spans).header()
                return [*headers, (developer.HEADER, value)]
        return headers

    def _start(self, status: str, headers: Any, exc_info: Any) -> Any:
        if exc_info is None:
            return self.start_response(status, headers)
        return self.start_response(status, headers, exc_info)


class _Body:
    """A body whose response is held until its first chunk shows whether it is the whole page."""

    __slots__ = ("body", "start", "step")

    def __init__(self, start: _Start, body: Iterable[bytes]) -> None:
        self.start = start
        self.body = body
        self.step: Callable[[], bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self.step is not None:
            return self.step()
        self.step = iter(self.body).__next__
        try:
            chunk = self.step()
        except StopIteration:
            self.start.go()
            raise
        changed = self.start.mark(chunk)
        return chunk if changed is None else changed

    def close(self) -> None:
        """Close what the application gave."""
        close = getattr(self.body, "close", None)
        if close is not None:
            close()
