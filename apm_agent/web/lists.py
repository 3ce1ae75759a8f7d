"""The questions `groups`, `filters`, `traces`, `jobs`, `job`, `errors` and `error`, as their parameters put them."""

from __future__ import annotations

from typing import Any

from apm_agent.queries import error as one_error
from apm_agent.queries import errors as all_errors
from apm_agent.queries import groups as all_groups
from apm_agent.queries import job as one_job
from apm_agent.queries import jobs as all_jobs
from apm_agent.queries import traces as all_traces
from apm_agent.queries.connection import Connection
from apm_agent.queries.counts import counts
from apm_agent.queries.endpoints import Page
from apm_agent.queries.filters import Filters
from apm_agent.queries.pool import machines
from apm_agent.queries.scope import check_kind
from apm_agent.queries.window import Window
from apm_agent.web import parameters as read
from apm_agent.web.parameters import Given

PAGED = ("sort", "q", "limit", "cursor")
JOB = ("name",)
ERROR = ("type", "frame")
GROUPS = ("by", "kind", "q")
TRACES = ("name", "kind", "min_ms", "max_ms", "status", "failed", "kept", "q", "sort", "limit", "cursor")

Found = tuple[dict[str, Any], Window]


def groups(connection: Connection, given: Given) -> Found:
    """Endpoints by the code that answers them."""
    window = read.window(given)
    by, kind, text = read.choice(given, "by"), read.text(given, "kind"), read.text(given, "q")
    return all_groups.groups(connection, window, by, kind, text, *_narrowed(given)), window


def filters(connection: Connection, given: Given) -> Found:
    """Services, releases and hosts, and how many there are of what each page lists."""
    window = read.window(given)
    known = all_groups.filters(connection, read.text(given, "service"))
    hosts = connection.hosts or machines(connection)
    return {**known, "hosts": hosts, "counts": counts(connection, window, *_narrowed(given))}, window


def traces(connection: Connection, given: Given) -> Found:
    """One page of transactions."""
    window = read.window(given)
    kind = read.text(given, "kind")
    check_kind(kind)
    service, release = _narrowed(given)
    narrowed = Filters(
        name=read.text(given, "name"),
        kind=kind,
        service=service,
        release=release,
        min_ns=read.milliseconds(given, "min_ms") or 0,
        max_ns=read.milliseconds(given, "max_ms"),
        status=read.whole(given, "status") or None,
        failed=read.yes(given, "failed"),
        kept=read.yes(given, "kept"),
        text=read.text(given, "q"),
    )
    sort, limit = read.choice(given, "sort"), read.whole(given, "limit")
    return all_traces.traces(connection, window, narrowed, sort, limit, read.text(given, "cursor")), window


def jobs(connection: Connection, given: Given) -> Found:
    """One page of jobs."""
    window = read.window(given)
    return all_jobs.jobs(connection, window, _page(given), *_narrowed(given)), window


def job(connection: Connection, given: Given) -> tuple[dict[str, Any] | None, Window]:
    """How the runs of one job waited; None when there is no such job."""
    window = read.window(given)
    return one_job.job(connection, window, read.required(given, "name"), *_narrowed(given)), window


def errors(connection: Connection, given: Given) -> Found:
    """One page of groups of failures."""
    window = read.window(given)
    return all_errors.errors(connection, window, _page(given), *_narrowed(given)), window


def error(connection: Connection, given: Given) -> tuple[dict[str, Any] | None, Window]:
    """One group of failures; None when there is no such failure in the window."""
    window = read.window(given)
    frame = read.text(given, "frame")
    kind = read.required(given, "type")
    return one_error.error(connection, window, kind, frame, *_narrowed(given)), window


def _page(given: Given) -> Page:
    return Page(
        sort=read.choice(given, "sort"),
        text=read.text(given, "q"),
        limit=read.whole(given, "limit"),
        offset=read.whole(given, "cursor"),
    )


def _narrowed(given: Given) -> tuple[str, str]:
    return read.text(given, "service"), read.text(given, "release")
