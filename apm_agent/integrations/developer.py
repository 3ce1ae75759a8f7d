"""What a developer is told in a response: its times in ``Server-Timing``, and a small badge in a whole page of HTML.

With any doubt a response is left as it came. Nothing here is loaded where the setting `developer` is off.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from apm_agent.clock import system
from apm_agent.config import Config
from apm_agent.model.span import Span
from apm_agent.model.transaction import Transaction
from apm_agent.recording import spending
from apm_agent.tracing.identity import identity_of

#: An environment of one of these names is trusted whoever asks; in any other only this machine is told.
ENVIRONMENTS = frozenset({"dev", "development", "local"})
HEADER = "Server-Timing"
SCRIPT = "/static/badge.js"

_KINDS = ("db", "http", "template", "cache", "wait", "gc")
#: Headers by which a proxy says that it passed somebody else's request on.
_FORWARDED = (
    "forwarded",
    "via",
    "x-forwarded",
    "x-real-ip",
    "x-original",
    "x-client-ip",
    "true-client-ip",
    "cf-",
)
#: Headers of requests for a part of a page, or for data.
_PARTIAL = frozenset({
    "hx-request", "turbo-frame", "x-pjax", "x-requested-with", "x-up-version", "x-inertia", "x-fetch", "range",
    "unpoly-version", "x-livewire",
})  # fmt: skip
#: Headers of a response that say what its bytes are: they would no longer be true.
_BOUND = frozenset({
    "content-encoding", "content-range", "content-md5", "content-digest", "repr-digest", "digest", "transfer-encoding",
    "content-disposition", "signature", "signature-input", "trailer", "x-sendfile", "x-accel-redirect",
})  # fmt: skip
_HTML = re.compile(r"""text/html\s*;\s*charset\s*=\s*"?utf-?8"?\s*\Z""", re.IGNORECASE)
#: The end of a document, with nothing behind it.
_END = re.compile(rb"</body\s*>\s*(?:</html\s*>\s*)?\Z", re.IGNORECASE)
_META_POLICY = re.compile(rb"""http-equiv\s*=\s*["']?content-security-policy""", re.IGNORECASE)
_LARGEST = 5_000_000
_LONGEST_END = 400
_SCRIPTS = ("script-src-elem", "script-src", "default-src")

Headers = list[tuple[str, str]]


class Developer(NamedTuple):
    """The setting `developer`, as far as responses need it."""

    #: where the application serves its dashboard; empty: nowhere, so there is no badge
    mount: str
    #: whether others than this machine are told
    open: bool

    def tells(self, peer: str, requested: Iterable[str], protocol: str) -> bool:
        """Whether who asks is a developer; `requested` are names of the request's headers, in lower case."""
        if self.open:
            return True
        # A proxy that says nothing of itself speaks that.
        if not _is_loopback(peer) or protocol == "HTTP/1.0":
            return False
        return not any(name.startswith(_FORWARDED) for name in requested)

    def snippet(self, transaction: Transaction, told: Told, prefix: str) -> bytes:
        """What is put into the page: one script from the dashboard, which draws the badge from what it is told."""
        mount = html.escape(f"{prefix.rstrip('/')}{self.mount}", quote=True)
        trace = format(identity_of(transaction) & 0xFFFF_FFFF_FFFF_FFFF, "016x")
        return (
            f'<script async src="{mount}{SCRIPT}" data-apm-agent="{trace}" data-mount="{mount}"'
            f' data-ms="{told.duration_ns / 1e6:.1f}" data-queries="{told.queries}"'
            f' data-kinds="{told.words()}"></script>'
        ).encode("ascii")


class Told(NamedTuple):
    """The figures of a transaction as they stand."""

    duration_ns: int
    queries: int
    kinds: Mapping[str, int]

    def header(self) -> str:
        """The value of ``Server-Timing``: the whole first, then each kind of time there was."""
        parts = [f"app;dur={self.duration_ns / 1e6:.1f}"]
        for kind in _KINDS:
            if kind in self.kinds:
                counted = f';desc="{self.queries} queries"' if kind == "db" else ""
                parts.append(f"{kind};dur={self.kinds[kind] / 1e6:.1f}{counted}")
        return ", ".join(parts)

    def words(self) -> str:
        """Kinds of time for people."""
        return ", ".join(f"{kind} {self.kinds[kind] / 1e6:.1f} ms" for kind in _KINDS if kind in self.kinds)


def of(config: Config) -> Developer:
    """What is told by these settings, in which `developer` is on."""
    path = config.dashboard_path.strip("/")
    return Developer(f"/{path}" if path else "", config.environment.strip().lower() in ENVIRONMENTS)


def told(transaction: Transaction, spans: list[Span]) -> Told:
    """The figures of a transaction now; `spans` are its own, which the writer may have taken from it by then."""
    start = transaction.start_ns
    duration = max(0, (transaction.end_ns or system.monotonic()) - start)
    intervals, at_index = [], {}
    for index, span in enumerate(list(spans)):
        at_index[span] = index
        begin = min(max(0, span.start_ns - start), duration)
        end = min(span.until_ns - start, duration) if span.end_ns else duration
        parent = span.parent
        while parent is not None and parent not in at_index:
            parent = parent.parent
        intervals.append(
            spending.Interval(begin, max(begin, end), None if parent is None else at_index[parent], span.kind)
        )
    pauses = [
        (max(0, pause.start_ns - start), min(pause.start_ns - start + pause.duration_ns, duration))
        for pause in transaction.gc_pauses or ()
        if pause.start_ns - start < duration
    ]
    nested = spending.is_nested(intervals)
    kinds = spending.by_kind(intervals, spending.own_times(intervals, nested), pauses, duration, nested)
    return Told(duration, sum(1 for span in spans if span.statement is not None), kinds)


def wants_page(method: str, requested: Mapping[str, str]) -> bool:
    """Whether a request is for a document that a browser will show whole."""
    if method not in {"GET", "POST"} or not _PARTIAL.isdisjoint(requested):
        return False
    if requested.get("sec-fetch-dest", "document") != "document":
        return False
    return "text/html" in requested.get("accept", "")


def fits(status: int, headers: Headers) -> int | None:
    """The length of a body that is a whole page of HTML by what its response says; None where there is a doubt."""
    if status < 200 or status in {204, 205, 206, 304}:
        return None
    known: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in known and lower in {"content-type", "content-length"}:
            return None
        if lower == "content-security-policy" and not _allows_own_script(value):
            return None
        known[lower] = value
    if not _BOUND.isdisjoint(known) or not _HTML.match(known.get("content-type", "")):
        return None
    if (
        not known.get("etag", "W/").startswith("W/")
        or "no-transform" in known.get("cache-control", "").lower()
    ):
        return None
    length = known.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and int(length) <= _LARGEST else None


def with_badge(body: bytes, snippet: bytes) -> bytes | None:
    """The page with the snippet before its end; None where it has no end that is one."""
    end = _END.search(body, max(0, len(body) - _LONGEST_END))
    if end is None or _META_POLICY.search(body):
        return None
    return body[: end.start()] + snippet + body[end.start() :]


def lengthened(headers: Headers, length: int) -> Headers:
    """The headers with another ``Content-Length``, each where it stood."""
    return [(name, str(length) if name.lower() == "content-length" else value) for name, value in headers]


def _allows_own_script(policy: str) -> bool:
    """Whether a Content-Security-Policy lets a script of the page's own host run."""
    directives: dict[str, list[str]] = {}
    for part in policy.split(";"):
        words = part.lower().split()
        if words:
            directives.setdefault(words[0], words[1:])
    if "sandbox" in directives or "," in policy:
        return False
    ruling = next((directives[name] for name in _SCRIPTS if name in directives), None)
    return ruling is None or ("'self'" in ruling and "'strict-dynamic'" not in ruling)


def _is_loopback(peer: str) -> bool:
    try:
        parsed = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    return bool((getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback)
