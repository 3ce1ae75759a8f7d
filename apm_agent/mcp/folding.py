"""Makes what is long short by adding up, where cutting would lose the point."""

from __future__ import annotations

from typing import Any

_MOST_HOT = 15


def overview(answer: dict[str, Any]) -> dict[str, Any]:
    """The figures without their curves."""
    figures = {
        name: {key: figure[key] for key in ("value", "previous")} for name, figure in answer["kpi"].items()
    }
    return {**answer, "kpi": figures}


def trace(answer: dict[str, Any]) -> dict[str, Any]:
    """Spans that repeat one another as one row each, samples as the lines they fell on."""
    return {**answer, "spans": _spans(answer["spans"]), "hot": _hot(answer["samples"], answer["frames"])}


def _spans(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for span in spans:
        where = span["where"]
        line = f"{where['file']}:{where['line']}" if where else None
        key = (span["kind"], span["name"], line, span["repeats"] or span["id"])
        row = rows.setdefault(
            key,
            {
                "kind": span["kind"], "name": span["name"], "where": line, "start_ms": span["start_ms"],
                "times": 0, "total_ms": 0.0, "self_ms": 0.0, "source": where["source"] if where else None,
            },
        )  # fmt: skip
        row["times"] += 1
        row["total_ms"] = round(row["total_ms"] + span["duration_ms"], 3)
        row["self_ms"] = round(row["self_ms"] + span["self_ms"], 3)
    return sorted(rows.values(), key=lambda row: -row["self_ms"])


def _hot(samples: list[dict[str, Any]], frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The innermost line of own code of each sample, with the time it answers for."""
    times: dict[int, float] = {}
    for sample in samples:
        own = [index for index in sample["stack"] if frames[index]["category"] == "app"] or sample["stack"]
        if own:
            times[own[-1]] = times.get(own[-1], 0.0) + sample["weight_ms"]
    ranked = sorted(times, key=lambda index: -times[index])[:_MOST_HOT]
    return [{**frames[index], "sampled_ms": round(times[index], 3)} for index in ranked]
