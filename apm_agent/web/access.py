"""Who may see the dashboard: a loopback peer that no proxy forwarded, or whom a token or rule lets in."""

from __future__ import annotations

import hashlib
import hmac
import importlib
import ipaddress
from collections.abc import Callable, Collection
from typing import Any

from werkzeug.wrappers import Request, Response

from apm_agent.errors import ConfigError, contained

Authorize = Callable[[Any], Any]

COOKIE = "apm_agent_token"
_A_MONTH = 30 * 86400

#: Any header of these families says that somebody else's request was passed on to us.
_FORWARDED = (
    "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_CLIENT_IP",
    "HTTP_X_CLUSTER_CLIENT_IP", "HTTP_X_ORIGINAL", "HTTP_X_ENVOY", "HTTP_X_PROXY", "HTTP_X_REMOTE",
    "HTTP_X_HOST", "HTTP_TRUE_CLIENT_IP", "HTTP_CLIENT_IP", "HTTP_CF_", "HTTP_CDN_LOOP",
    "HTTP_FASTLY_CLIENT_IP",
)  # fmt: skip
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]", "::1")


class Access:
    """Decides on each request.

    Without a token the machine itself is a door, and a rule may open another. With a token, coming from this
    machine is not enough: a proxy beside us comes from loopback too, and not every proxy says that it is one.
    """

    def __init__(
        self,
        token: str = "",
        authorize: Authorize | str | None = None,
        open_to_all: bool = False,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        self._token = token
        self._authorize: Authorize | str | None = authorize or None
        self._open_to_all = open_to_all
        self._hosts = frozenset(host.lower() for host in (*_LOOPBACK_NAMES, *allowed_hosts))
        if isinstance(authorize, str) and authorize and not all(authorize.partition(":")):
            raise ConfigError(f"authorize is {authorize!r}, but must be module:function")
        self._cookie = (
            hmac.new(token.encode(), b"apm-agent dashboard", hashlib.sha256).hexdigest() if token else ""
        )

    def allows(self, request: Request) -> bool:
        """Whether this request may be answered."""
        if self._open_to_all:
            return True
        if self._token and self._knows_token(request):
            return True
        if self._authorize is not None and self._ruled(request):
            return True
        return not self._token and self._local(request)

    def offered(self, request: Request) -> bool:
        """Whether the address itself carries the token, which a cookie should do instead."""
        return bool(self._token) and _same(request.args.get("token", ""), self._token)

    def remember(self, request: Request, response: Response) -> None:
        """Let the browser come back without the token in the address.

        No path is named: the browser then takes the folder of the page, which is the mount as it sees it,
        also behind a proxy that strips a prefix we never hear of.
        """
        response.set_cookie(
            COOKIE,
            self._cookie,
            max_age=_A_MONTH,
            path=None,
            httponly=True,
            samesite="Strict",
            secure=request.is_secure,
        )

    def _knows_token(self, request: Request) -> bool:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(value.strip(), self._token):
            return True
        return self.offered(request) or any(
            _same(value, self._cookie) for value in request.cookies.getlist(COOKIE)
        )

    def _ruled(self, request: Request) -> bool:
        allowed = False
        with contained("asking whether a request may see the dashboard"):
            if isinstance(self._authorize, str):
                self._authorize = _named(self._authorize)
            if self._authorize is not None:
                # Only True opens: a coroutine, a response or a user object is no answer to a yes-or-no
                # question.
                allowed = self._authorize(request) is True
        return allowed

    def _local(self, request: Request) -> bool:
        environ = request.environ
        if not _is_loopback(environ.get("REMOTE_ADDR") or ""):
            return False
        if any(name.startswith(_FORWARDED) for name in environ):
            return False
        # A browser speaks 1.1 or later; a proxy that says nothing of itself, like nginx unconfigured, speaks
        # 1.0.
        if environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
            return False
        return _host_name(environ.get("HTTP_HOST", "")) in self._hosts


def _named(target: str) -> Authorize:
    module, _, name = target.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise ConfigError(f"authorize names {target!r}, which cannot be called")
    return found  # type: ignore[no-any-return]


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def _host_name(host: str) -> str:
    """The name in a Host header, without its port; what is no single name is none."""
    name = host.strip().lower().rstrip(".")
    if name.startswith("["):
        bracket, _, rest = name.partition("]")
        return bracket + "]" if not rest or rest[1:].isdigit() else ""
    head, colon, port = name.partition(":")
    return head.rstrip(".") if not colon or port.isdigit() else ""


def _same(given: str, wanted: str) -> bool:
    """Compared in a time that does not tell how much of it was right."""
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), wanted.encode("utf-8", "surrogatepass")
    )
