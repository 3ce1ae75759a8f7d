"""The function of own code in which most of the time passes, and its hottest line."""

from __future__ import annotations

from apm_agent.insights.evidence import outside_spans, own_frame, percent, same_line
from apm_agent.model.insight import Insight
from apm_agent.model.profile import WAITING, Frame
from apm_agent.model.record import Record
from apm_agent.model.threshold import DEFAULTS, Thresholds

_FEWEST_SAMPLES = 5
#: With less CPU than this share of the time it is said how much: the line waits, or had to wait for a processor.
_WORKING = 0.3
#: Causes whose time is that of spans alone: what a line does besides is its own.
_ONLY_SPANS = frozenset({"cache_misses", "connection_wait", "sequential_calls"})


def hot_line(record: Record, limits: Thresholds = DEFAULTS) -> Insight | None:
    """At least `hot_line` of the sampled time in one function of own code, outside of any named span.

    Time in libraries and in C belongs to the own line that called them; time in a query, a template or a call
    to another service has an insight of its own.
    """
    if len(record.samples) < _FEWEST_SAMPLES:
        return None
    functions, total, seen = _by_function(record)
    if not functions:
        return None
    name, lines = max(functions.items(), key=lambda item: sum(item[1].values()))
    cost = sum(lines.values())
    where = max(lines, key=lambda frame: lines[frame])
    if seen[name] < _FEWEST_SAMPLES or cost < limits.hot_line * total or _is_told(record, where):
        return None
    function = where.function.rpartition(".")[2]
    text = f"{percent(cost / total)} of the time {_processor(record, cost)}in {function}()"
    return Insight("hot_line", text, min(cost, record.duration_ns), seen[name], where)


def _is_told(record: Record, where: Frame) -> bool:
    """Whether an insight that also says why names this line already, and its time here may be of that cause."""
    return any(found.kind not in _ONLY_SPANS and same_line(found.where, where) for found in record.insights)


def _by_function(
    record: Record,
) -> tuple[dict[tuple[str, str], dict[Frame, int]], int, dict[tuple[str, str], int]]:
    """Time by own function and line, all time sampled, and how many samples each function has."""
    functions: dict[tuple[str, str], dict[Frame, int]] = {}
    seen: dict[tuple[str, str], int] = {}
    outside = outside_spans(record)
    total = 0
    for sample in record.samples:
        total += sample.weight_ns
        where = own_frame(sample.stack)
        if sample.state == WAITING or where is None or not outside(sample.offset_ns, sample.weight_ns):
            continue
        name = (where.file, where.function)
        lines = functions.setdefault(name, {})
        lines[where] = lines.get(where, 0) + sample.weight_ns
        seen[name] = seen.get(name, 0) + 1
    for (stack, state), ns in record.weights.items():  # looks past the limit, whose time is not known
        total += ns
        where = own_frame(stack)
        if state != WAITING and where is not None:
            lines = functions.setdefault((where.file, where.function), {})
            lines[where] = lines.get(where, 0) + ns
            seen.setdefault((where.file, where.function), _FEWEST_SAMPLES)
    return functions, total, seen


def _processor(record: Record, cost: int) -> str:
    if record.cpu_ns is None or record.cpu_ns >= _WORKING * cost:
        return ""
    return f"({percent(record.cpu_ns / cost)} of it CPU) "
