"""Every parameter of the API, declared once, for reading it and for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable

from apm_agent.exporters import EXPORTERS
from apm_agent.model.arm import CAPTURES, CPROFILE, LONGEST_LIFE, MOST_TRANSACTIONS, USUAL_LIFE
from apm_agent.model.seconds import LEAST, MOST
from apm_agent.model.transaction import KINDS
from apm_agent.queries import endpoints, errors, groups, jobs, profile, statements, traces
from apm_agent.queries.sides import GRAMMAR
from apm_agent.queries.usual import BY
from apm_agent.queries.window import DEFAULT, FIRST, LAST, RANGES
from apm_agent.web import saved
from apm_agent.web.parameters import (
    CHOICE,
    COMMON,
    MOMENT,
    NUMBER,
    SWITCH,
    UNTOLD,
    WHOLE,
    Parameter,
)

COLUMNAR = "columnar"

_ISO = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"
_ID = "^[0-9a-f]{1,16}$"
#: Whole numbers below 2^63, but for the very last of them.
_STATEMENT = "^([0-9]{1,18}|[1-8][0-9]{18}|9[01][0-9]{17}|92[01][0-9]{16}|922[0-2][0-9]{15})$"
_SPAN = "(15m|1h|6h|24h|7d)"
_SIDE = f"^(range:{_SPAN}|before:{_SPAN}|release:.+|tx:[0-9a-f]{{1,16}})$"

#: By name; where a question means something else by it, by "question.name".
PARAMETERS: dict[str, Parameter] = {
    "range": Parameter(
        "The last so long, up to now. Not together with `from` and `to`.",
        CHOICE, "1h", choices=tuple(RANGES), default=DEFAULT,
    ),
    "from": Parameter(
        "Where the window begins: Unix seconds or ISO 8601 (UTC unless it says), from 2000 to 2100. Widened to a "
        "full minute, and to a full hour or day where finer sums are no longer kept.",
        MOMENT, "2026-09-21T10:30:00Z", least=FIRST, most=LAST, pattern=_ISO,
    ),
    "to": Parameter(
        "Where the window ends, as `from`; now when it is not given. After `from`, and at most 400 days after it.",
        MOMENT, "2026-09-21T11:30:00Z", least=FIRST, most=LAST, pattern=_ISO,
    ),
    "base_from": Parameter(
        "What the box is held against begins here, as `from`; its own time when it is not given.",
        MOMENT, "2026-09-21T10:30:00Z", least=FIRST, most=LAST, pattern=_ISO,
    ),
    "base_to": Parameter(
        "And ends here, as `to`; not without `base_from`.",
        MOMENT, "2026-09-21T11:30:00Z", least=FIRST, most=LAST, pattern=_ISO,
    ),
    "service": Parameter("Only endpoints of this service.", example="shop"),
    "release": Parameter("Only transactions of this release of the application.", example="1.4.0"),
    "host": Parameter(
        "Only what this machine wrote, one of `hosts` of `filters`. In a local file that several machines share,"
        " profiles, queries and causes are counted for all of them together: `store.partial` says so.",
        example="web-1",
    ),
    "kind": Parameter(
        "Only this kind of transaction: `web` (a request), `background` (a job), `websocket` or `stream` (a long "
        "connection, left out of percentiles and shares).",
        CHOICE, "web", choices=tuple(KINDS),
    ),
    "name": Parameter("Only the endpoint of this name.", example="GET /orders", longest=1000),
    "endpoint.name": Parameter("The endpoint's name.", example="GET /orders", longest=1000, required=True),
    "q": Parameter("Only rows that contain this text, whatever its case.", example="orders"),
    "traces.q": Parameter(
        "Only transactions whose path contains this text, or whose context has it: `key=value`, or a value.",
        example="user=7",
    ),
    "limit": Parameter("At most so many rows.", WHOLE, 50, 1, 1000, 200),
    "cursor": Parameter(
        "Where to go on: the `cursor` of the answer before.", WHOLE, 200, 0, 10**9,
    ),
    "traces.cursor": Parameter(
        "Where to go on: the `cursor` of the answer before, asked with the same `sort`.",
        example="48210000-18d7f2a06b3c41e5", pattern="^[0-9]{1,18}-[0-9a-f]{1,16}$",
    ),
    "endpoints.sort": Parameter(
        "What comes first: the highest of this figure, or by name.", CHOICE, "p95", choices=endpoints.SORTS,
        default="share",
    ),
    "jobs.sort": Parameter(
        "What comes first: the highest of this figure, the last that ran, or by name.", CHOICE, "wait",
        choices=jobs.SORTS, default="share",
    ),
    "job.name": Parameter("The job's name.", example="shop.tasks.send_receipt", longest=1000, required=True),
    "errors.sort": Parameter(
        "What comes first: the most frequent, the latest, the newest, or by type.", CHOICE, "count",
        choices=errors.SORTS, default="count",
    ),
    "errors.q": Parameter(
        "Only errors with this text in their type, message, file, function or endpoints.", example="ValueError"
    ),
    "type": Parameter("The error's type, as `errors` gives it.", example="ValueError", longest=1000, required=True),
    "frame": Parameter(
        "The line it was raised at, as `errors` gives it; none where that is null.", example="4611686018427387904",
        pattern=_STATEMENT,
    ),
    "queries.sort": Parameter(
        "What comes first: the highest of this figure.", CHOICE, "total", choices=statements.SORTS, default="total",
    ),
    "traces.sort": Parameter(
        "What comes first: the longest, or the latest.", CHOICE, "duration", choices=traces.SORTS,
        default="duration",
    ),
    "min_ms": Parameter("Only transactions of at least so many milliseconds.", NUMBER, 100),
    "max_ms": Parameter("Only transactions of at most so many milliseconds.", NUMBER, 2000),
    "status": Parameter("Only answers of this HTTP status; 0 means any.", WHOLE, 500, 0, 999),
    "failed": Parameter("1: only transactions that failed.", SWITCH, "1"),
    "kept": Parameter("1: only transactions whose spans and samples are kept.", SWITCH, "1"),
    "id": Parameter(
        "The transaction's id, as the other answers give it.", example="18d7f2a06b3c41e5", pattern=_ID, required=True
    ),
    "query.id": Parameter(
        "The statement's id, as `queries` gives it.", example="4611686018427387904", pattern=_STATEMENT,
        required=True,
    ),
    "profile.id": Parameter(
        "One transaction's own samples, instead of a window's.", example="18d7f2a06b3c41e5", pattern=_ID
    ),
    "file": Parameter(
        "The file of a frame, as `frames` of the transaction names it.", example="shop.py", longest=1000,
        required=True,
    ),
    "line": Parameter("The line in that file.", WHOLE, 8, 1, 10**7, required=True),
    "blame.id": Parameter("The transaction that ran it.", example="18d7f2a06b3c41e5", pattern=_ID),
    "blame.name": Parameter("Instead of it, the endpoint that ran it.", example="GET /orders", longest=1000),
    "page": Parameter("Which page is saved as a file.", CHOICE, "endpoint", choices=tuple(saved.PAGES), required=True),
    "saved.id": Parameter("Of `trace`: the transaction.", example="18d7f2a06b3c41e5", pattern=_ID),
    "saved.name": Parameter("Of `endpoint`: its name.", example="GET /orders", longest=1000),
    "function": Parameter("The function of that frame.", example="price", longest=1000, required=True),
    "format": Parameter(
        f"`{COLUMNAR}` answers the tree as columns; any other is a download for the tool it is named after.",
        CHOICE, COLUMNAR, choices=(COLUMNAR, *EXPORTERS), default=COLUMNAR,
    ),
    "prune": Parameter(
        "Branches below this share of all time are left out, and counted as such.", NUMBER, 0.001, 0, 0.5,
        profile.PRUNE,
    ),
    "source": Parameter(
        "Of a download that can be made of either: `profile` (sampled) or `callgraph` (measured by cProfile).",
        example="profile",
    ),
    "clock": Parameter(
        "What time is told: `wall`, all that passed, or `cpu`, the processor's. Only of the columns.",
        CHOICE, "wall", choices=tuple(profile.CLOCKS), default=profile.WALL,
    ),
    "captures.id": Parameter(
        "One transaction, instead of the newest of a window.", example="18d7f2a06b3c41e5", pattern=_ID
    ),
    "capture": Parameter(
        "Only what was measured so: by `cprofile`, by `lines`, or its `memory`.", CHOICE, "memory",
        choices=tuple(CAPTURES),
    ),
    "live.capture": Parameter(
        "The id of a capture (POST live): how far it is, and its profile once it is over.",
        example="0f3c5a7e9b1d2468", pattern="^[0-9a-f]{16}$",
    ),
    "a": Parameter(f"What is compared: {GRAMMAR}.", example="before:6h", longest=1000, pattern=_SIDE),
    "b": Parameter(f"With what: {GRAMMAR}.", example="range:6h", longest=1000, pattern=_SIDE),
    "by": Parameter(
        "What is compared where `a` and `b` are not given: `window`, this one and as long just before it, or "
        "`release`, the newest (or `release`) and the one before it.",
        CHOICE, "window", choices=BY,
    ),
    "groups.by": Parameter(
        "What puts endpoints together: their `view`, its `module` (a blueprint or router), or its `app` (the package).",
        CHOICE, "app", choices=tuple(groups.BY), default="view",
    ),
    "b_name": Parameter(
        "The endpoint after, where it is another one than before.", example="GET /orders", longest=1000
    ),
    "b_kind": Parameter("The kind of that endpoint.", CHOICE, "web", choices=tuple(KINDS)),
    "b_service": Parameter("The service of that endpoint.", example="shop"),
}  # fmt: skip

#: What a POST's document may hold, by "change.name".
BODIES: dict[str, Parameter] = {
    "arms.endpoint": Parameter(
        "The endpoint whose next transactions are measured.", example="GET /orders", longest=200, required=True
    ),
    "arms.capture": Parameter(
        f"What is measured: {', '.join(f'`{key}` ({said})' for key, said in CAPTURES.items())}.",
        CHOICE, CPROFILE, choices=tuple(CAPTURES), default=CPROFILE,
    ),
    "arms.count": Parameter("How many transactions.", WHOLE, 3, 1, MOST_TRANSACTIONS, 1),
    "arms.seconds": Parameter(
        "For how many seconds they are waited for.", NUMBER, 600, 1, LONGEST_LIFE, USUAL_LIFE
    ),
    "arms.service": Parameter("Only of this service.", example="shop", longest=200),
    "arms.cancel": Parameter(
        "The id of an arm to take away.", example="0f3c5a7e9b1d2468", pattern="^[0-9a-f]{16}$", required=True
    ),
    "live.capture": Parameter(
        "For how many seconds every process is to tell what it samples; the answer names the capture, which "
        "GET live then reads. Nothing is captured where it is not given.",
        NUMBER, 5, LEAST, MOST,
    ),
    "plan.statement": Parameter(
        "The id of the statement the database is asked about.", example="4611686018427387904", pattern=_STATEMENT,
        required=True,
    ),
    "plan.database": Parameter(
        "Which of the databases named in the setting `explain`; needed where there are several.", example="shop"
    ),
}  # fmt: skip

#: Of changes that take one set of keys or another.
BODIES_BY_WAY = {"arms": (("endpoint", "capture", "count", "seconds", "service"), ("cancel",))}


def declared(question: str, names: Iterable[str]) -> dict[str, Parameter]:
    """The parameters of a question, and those all take; one that nobody declared is a text."""
    every = (*names, *COMMON)
    return {name: PARAMETERS.get(f"{question}.{name}") or PARAMETERS.get(name) or UNTOLD for name in every}


def body(change: str, names: Iterable[str]) -> dict[str, Parameter]:
    """What the document of a change may hold."""
    return {name: BODIES.get(f"{change}.{name}") or UNTOLD for name in names}
