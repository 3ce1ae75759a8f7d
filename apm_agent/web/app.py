"""The dashboard as a WSGI application to mount anywhere: it knows no prefix, every address is relative."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

from apm_agent import __version__
from apm_agent.errors import ConfigError, NotFoundError, QuestionError, StoreError, contained
from apm_agent.model.database import databases
from apm_agent.model.editor import pattern_of
from apm_agent.plans.plan import DatabaseError, RefusedError
from apm_agent.queries.damage import TooSlowError, blame
from apm_agent.queries.pool import Pool
from apm_agent.web import changes, metrics, openapi, parameters, plain
from apm_agent.web.access import Access, Authorize
from apm_agent.web.acting import Acting
from apm_agent.web.answers import ANSWERS
from apm_agent.web.common import with_common
from apm_agent.web.declared import declared
from apm_agent.web.fitting import fits
from apm_agent.web.headers import guarded
from apm_agent.web.routes import ROUTES, Asked, as_json, error
from apm_agent.web.shapes import ANY
from apm_agent.web.static import Static

API = "api/v1/"
_STATIC = "static/"
#: What each kind of refusal is answered with: status and code, the kinds before those they are of.
_REFUSALS: tuple[tuple[type[StoreError], int, str], ...] = (
    (changes.ForeignError, 403, "foreign"),
    (RefusedError, 400, "refused"),
    (NotFoundError, 404, "not_found"),
    (QuestionError, 400, "bad_parameter"),
    (DatabaseError, 503, "database"),
    (TooSlowError, 503, "too_slow"),
    (StoreError, 503, "store"),
)
_READS = ("GET", "HEAD")
FIRST_PAGE = "overview"


_NOTHING_SET = Acting()


class Dashboard:
    """One store behind one door."""

    def __init__(
        self,
        store_url: str,
        access: Access,
        title: str = "",
        explain: Collection[str] = (),
        acting: Acting = _NOTHING_SET,
    ) -> None:
        self._url = store_url
        self._pool = Pool(store_url)
        self._access = access
        self.static = Static()
        self._title = title
        try:
            self._databases = databases(explain)
        except ValueError as error:
            raise ConfigError(f"explain must be {error}") from None
        try:
            self._acting = acting._replace(editor=pattern_of(acting.editor))
        except ValueError as error:
            raise ConfigError(f"editor is {acting.editor[:100]!r}, but must be {error}") from None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        response: Response | None = None
        with contained("answering a request for the dashboard"):
            response = self.respond(request)
        if response is None:
            response = error(500, "internal", "apm-agent failed to answer; the server's log says more")
        return guarded(response)(environ, start_response)

    def respond(self, request: Request) -> Response:
        """The answer to a request, access first."""
        path = request.path.removeprefix("/")
        asks = path.startswith(API)
        if not self._access.allows(request):
            return error(403, "forbidden", _REFUSED) if asks else plain.refused()
        if asks:
            return self._asked(request, path.removeprefix(API))
        if request.method not in _READS:
            return plain.not_allowed()
        if self._access.offered(request) and not path.startswith(_STATIC):
            return self._remembered(request)
        return self._page(request, path)

    def _asked(self, request: Request, name: str) -> Response:
        """The API's answer: a question, a change, or why there is neither by this name or method."""
        methods = (*(_READS if name in ROUTES or name == openapi.NAME else ()), *_changed_by(name))
        if not methods:
            known = ", ".join((*ROUTES, openapi.NAME))
            return error(404, "not_found", f"there is no {name[:60]!r} here; there are {known}")
        if request.method not in methods:
            return _not_allowed(methods)
        if request.method == "POST":
            return self._change(request, name)
        if name == openapi.NAME:
            return as_json(openapi.document())
        return self._answer(request, name)

    def _remembered(self, request: Request) -> Response:
        """To the same address without the token, which a cookie holds from here on."""
        if not request.environ.get("PATH_INFO"):
            return _to_folder(request)
        rest = [(name, value) for name, value in request.args.items(multi=True) if name != "token"]
        here = request.path.rpartition("/")[2] or FIRST_PAGE
        response = _redirect(here, urlencode(rest))
        self._access.remember(request, response)
        return response

    def _page(self, request: Request, path: str) -> Response:
        if not path:
            return (
                _redirect(FIRST_PAGE, _query(request))
                if request.environ.get("PATH_INFO")
                else _to_folder(request)
            )
        if path == metrics.ADDRESS:
            return self._metrics()
        if path.startswith(_STATIC):
            return self.static.asset(request, path.removeprefix(_STATIC)) or plain.missing(path[:100])
        pages = self.static.pages()
        if not pages:
            return plain.not_built()
        return (self.static.page(request, path) if path in pages else None) or plain.missing(path[:100])

    def _metrics(self) -> Response:
        try:
            with self._pool.session() as connection:
                return metrics.metrics(connection)
        except StoreError as broken:  # too slow is one of them
            return Response(f"{broken}\n", 503, content_type="text/plain; charset=utf-8")

    def _change(self, request: Request, name: str) -> Response:
        change, allowed = changes.CHANGES[name]
        try:
            given = changes.read(request, allowed)
            with self._pool.session() as connection:
                return as_json(change(changes.Site(connection, self._databases), given))
        except StoreError as why:
            return _refused(why)

    def _answer(self, request: Request, name: str) -> Response:
        route = ROUTES[name]
        try:
            given = parameters.read(request.args, declared(name, route.parameters))
            with self._pool.session(given.get("host", "")) as connection:
                asked = Asked(connection, given, self._url, __version__, self._databases, self._acting)
                answer, window = route.answer(asked)
                if isinstance(answer, Response):
                    return answer
                whole = with_common(answer, connection, window)
                if not fits(whole, ANSWERS.get(name, ANY)):
                    blame(connection)
                return as_json(whole)
        except StoreError as why:
            return _refused(why)


def _refused(why: StoreError) -> Response:
    """Questions and changes alike: the first kind that it is."""
    status, code = next((status, code) for kind, status, code in _REFUSALS if isinstance(why, kind))
    return error(status, code, str(why))


def dashboard(
    store_url: str,
    *,
    token: str = "",
    authorize: Authorize | str | None = None,
    title: str = "",
    open_to_all: bool = False,
    allowed_hosts: Collection[str] = (),
    explain: Collection[str] = (),
    editor: str = "",
    blame: bool = True,
) -> Dashboard:
    """The dashboard of a store.

    It answers a loopback peer that no proxy forwarded; with `token` only whoever sends that; and whomever
    `authorize(request)` answers True for. `allowed_hosts` are names of this machine beside localhost by which
    a loopback peer may ask. `explain` are the database URLs that may be asked for plans, `editor` what
    opens a line, and `blame` whether git may be asked who wrote it, as the settings of those names.
    """
    access = Access(token, authorize, open_to_all, allowed_hosts)
    return Dashboard(store_url, access, title, explain, Acting(editor, blame))


_REFUSED = (
    "the dashboard answers only the machine it runs on, without a proxy between, or whoever a token or a "
    "rule lets "
    "in: send Authorization: Bearer with the token, see the page for more"
)


def _redirect(target: str, query: str) -> Response:
    """To a relative address: which prefix stands before it is known to the browser alone."""
    response = Response(status=302, content_type="text/plain; charset=utf-8")
    response.headers["Location"] = f"{target}?{query}" if query else target
    return response


def _to_folder(request: Request) -> Response:
    """From the mount without its slash into it."""
    folder = request.environ.get("SCRIPT_NAME", "").rstrip("/").rpartition("/")[2]
    return _redirect(f"{folder}/" if folder else "./", _query(request))


def _query(request: Request) -> str:
    return urlencode(list(request.args.items(multi=True)))


def _changed_by(name: str) -> tuple[str, ...]:
    return ("POST",) if name in changes.CHANGES else ()


def _not_allowed(methods: Sequence[str]) -> Response:
    response = error(405, "method_not_allowed", f"this takes {', '.join(methods)} and nothing else")
    response.headers["Allow"] = ", ".join(methods)
    return response
