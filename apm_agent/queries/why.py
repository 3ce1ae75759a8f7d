"""Why an endpoint is slow, as one phrase for its row and as a diagnosis for a terminal."""

from __future__ import annotations

from typing import Any, NamedTuple

from apm_agent.errors import QuestionError
from apm_agent.model.profile import Frame
from apm_agent.queries import hot, latency, phrases
from apm_agent.queries.connection import Connection
from apm_agent.queries.finding import Finding, rank, weight
from apm_agent.queries.findings import findings
from apm_agent.queries.rollups import NOTHING, measure
from apm_agent.queries.scope import one_endpoint, release_ids
from apm_agent.queries.slowest import slowest
from apm_agent.queries.units import hex_id, kinds, mean, millis, ms, unix
from apm_agent.queries.window import Window

#: A finding that takes less of the endpoint's time than this does not explain it: the hot line may.
_EXPLAINS = 0.2
_MOST_BYTES = 4096


class Reason(NamedTuple):
    """The phrase of an endpoint's row, and the line it names."""

    why: str
    frame: Frame | None

    @property
    def where(self) -> str | None:
        return phrases.line_of(self.frame) or None


def reason(found: list[Finding], total_ns: int) -> Reason | None:
    """The best of the findings, told in one phrase."""
    if not found:
        return None
    best = max(found, key=rank)
    return Reason(phrases.why(best.evidence(total_ns)), best.frame)


def explained(found: list[Finding], total_ns: int) -> bool:
    """Whether one of the findings takes enough of the time, or keeps enough memory, to be the reason."""
    return any(
        # That there are two speeds is no reason of the slower one: the hot line may be.
        each.kind != "two_speeds"
        and weight(each) >= _EXPLAINS * total_ns * (0.5 if each.kind == "hot_line" else 1)
        for each in found
    )


def reason_or_line(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    endpoint: int,
    releases: tuple[int, ...] | None,
    found: list[Finding],
    total_ns: int,
) -> Reason | None:
    """`reason`, or the hottest line of the profile where no finding explains the time."""
    told = reason(found, total_ns)
    if told is not None and explained(found, total_ns):
        return told
    line = hot.hottest_of(connection, window, endpoint, releases)
    if line is None or (told is not None and line[1] < 2 * _EXPLAINS):
        return told
    # What is said of a line says more than that it is hot; of several, what most calls have.
    of_line = [each for each in found if _same_line(each.frame, line[0])]
    if of_line:
        usual = max(of_line, key=lambda each: (each.transactions, rank(each)))
        return Reason(phrases.why(usual.evidence(total_ns)), usual.frame)
    return Reason(phrases.why(line_evidence(line[0], line[1], 0)), line[0])


def _same_line(a: Frame | None, b: Frame) -> bool:
    return a is not None and (a.file, a.line) == (b.file, b.line)


def line_evidence(frame: Frame, share: float, cost_ns: float) -> phrases.Evidence:
    """A hot line of a profile as evidence like any other."""
    return phrases.Evidence("hot_line", "", 1, cost_ns, 0, share, frame, None)


def diagnose(  # noqa: PLR0917
    connection: Connection, name: str, window: Window, kind: str = "", service: str = "", release: str = ""
) -> dict[str, Any]:
    """All one needs to know of a slow endpoint, in the words and units of the API."""
    endpoint = one_endpoint(connection, name, kind, service)
    if endpoint is None:
        raise QuestionError(_unknown(connection, name))
    releases = release_ids(connection, release)
    sums, whole = measured = measure(connection, window, releases, endpoint.id).get(endpoint.id, NOTHING)
    p50, p95, p99 = latency.percentiles(whole)
    found = findings(connection, window, releases, {endpoint.id: measured}, endpoint.id).get(endpoint.id, [])
    told = reason_or_line(connection, window, endpoint.id, releases, found, sums.duration_ns)
    line = hot.hottest_of(connection, window, endpoint.id, releases)
    return {
        "name": endpoint.name,
        "kind": endpoint.kind,
        "service": endpoint.service,
        "window": {"from": window.start, "to": window.end, "range": window.range},
        "count": sums.count,
        "errors": sums.errors,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "max_ms": ms(sums.duration_max_ns) if sums.count else None,
        "queries_per_call": _rounded(mean(sums.queries, sums.count)),
        "kinds": {
            name: round(value / sums.count, 3) if sums.count else 0.0
            for name, value in kinds(sums.duration_ns, sums.spans, sums.queue_ns).items()
        },
        "why": told.why if told else None,
        "where": told.where if told else None,
        "insights": [_insight(each, sums.duration_ns) for each in found[:5]],
        "hot_line": _line(*line) if line else None,
        "traces": [
            _example(row) for row in slowest(connection, window, {endpoint.id: endpoint}, releases, 3).rows
        ],
    }


def markdown(diagnosis: dict[str, Any]) -> str:
    """The diagnosis as Markdown of at most 4 KB."""
    d = diagnosis
    lines = [f"# {_text(d['name'], 200)}", ""]
    if not d["count"]:
        return "\n".join([*lines, "No transactions in this window.", ""])
    lines += [
        f"{d['count']} calls, {d['errors']} failed · p50 {_ms(d['p50_ms'])} · p95 {_ms(d['p95_ms'])} · "
        f"p99 {_ms(d['p99_ms'])} · slowest {_ms(d['max_ms'])} · {d['queries_per_call']:g} queries a call",
        "",
        f"**Why:** {_text(d['why'], 300)}" if d["why"] else "**Why:** nothing stands out in this window.",
        "",
        "Time a call: " + ", ".join(f"{kind} {_ms(value)}" for kind, value in _largest(d["kinds"])) + ".",
        "",
    ]
    if d["insights"]:
        lines += ["## Found", ""]
    for number, found in enumerate(d["insights"], 1):
        lines.append(f"{number}. **{found['title']}** ({found['severity']}): {_text(found['why'], 300)}")
        if found["cost_ms"]:
            lines.append(
                f"   - costs {_ms(found['cost_ms'])} a call, in {found['count']} of {d['count']} calls"
            )
        if found["statement"]:
            lines.append(f"   - `{_text(found['statement'], 160)}`")
        if found["fix"]:
            lines.append(f"   - {found['fix']}")
    if d["hot_line"]:
        line = d["hot_line"]
        place = f"{_text(line['function'], 80)} at {_text(line['file'], 120)}:{line['line']}"
        lines += ["", f"Hottest own line: {phrases.percent(line['share'])} of the samples in {place}"]
    if d["traces"]:
        lines += [
            "",
            "Slowest: " + ", ".join(f"{each['id']} ({_ms(each['duration_ms'])})" for each in d["traces"]),
        ]
    return _bounded(lines)


def _bounded(lines: list[str]) -> str:
    """As many of the first lines as fit."""
    text = ""
    for line in lines:
        if len((text + line).encode()) + 6 > _MOST_BYTES:
            return text + "…\n"
        text += line + "\n"
    return text


def _line(frame: Frame, share: float) -> dict[str, Any]:
    return {"file": frame.file, "line": frame.line, "function": frame.function, "share": round(share, 4)}


def _insight(found: Finding, total_ns: int) -> dict[str, Any]:
    evidence = found.evidence(total_ns)
    return {
        "kind": found.kind,
        "title": phrases.title(found.kind),
        "why": phrases.why(evidence),
        "where": phrases.line_of(found.frame) or None,
        "function": found.frame.function if found.frame else None,
        "count": found.transactions,
        "cost_ms": millis(evidence.cost_ns),
        "total_ms": millis(found.cost_ns),
        "share": round(evidence.share, 4),
        "statement": found.statement,
        "fix": phrases.fix(evidence),
        "severity": found.severity(evidence),
        "trace": hex_id(found.example) if found.example else None,
    }


def _example(row: tuple[Any, ...]) -> dict[str, Any]:
    return {"id": hex_id(row[0]), "t": unix(row[2]), "duration_ms": millis(row[3]), "status": row[4]}


def _unknown(connection: Connection, name: str) -> str:
    if connection.empty:
        return f"there is no endpoint {name[:80]!r}: the store is empty"
    known = connection.rows("SELECT name FROM endpoints WHERE instr(lower(name), lower(?)) LIMIT 5", (name,))
    known = known or connection.rows("SELECT name FROM endpoints ORDER BY id DESC LIMIT 5")
    names = ", ".join(repr(row[0][:80]) for row in known)
    return f"there is no endpoint {name[:80]!r}; there are for example: {names}"


def _largest(by_kind: dict[str, float]) -> list[tuple[str, float]]:
    used = sorted(((kind, value) for kind, value in by_kind.items() if value), key=lambda each: -each[1])
    return used[:4] or [("python", 0.0)]


def _ms(value: float | None) -> str:
    return "–" if value is None else phrases.duration(value * 1e6)


def _rounded(value: float | None) -> float:
    return round(value or 0.0, 2)


def _text(value: object, longest: int) -> str:
    """One line of text that cannot break out of the Markdown around it."""
    text = " ".join(str(value).split()).replace("`", "'")
    return text if len(text) <= longest else text[: longest - 1] + "…"
