"""Celery: a transaction a run of a task, through its signals, in whatever pool it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.instruments.rows import Attached
from apm_agent.integrations import jobs
from apm_agent.integrations.jobs import KEY, Job

_ID = "apm_agent.integrations.celery"

#: id of the task's request → its run. A request lives as long as the run, and is nobody's to write into.
_open: dict[int, Job] = {}


def attach(signals: Any) -> Callable[[], None]:
    """Listen to the signals of all tasks."""
    listening = tuple((getattr(signals, name), receiver) for name, receiver in _RECEIVERS)
    for signal, receiver in listening:
        signal.connect(receiver, weak=False, dispatch_uid=_ID)

    def detach() -> None:
        for signal, _ in listening:
            signal.disconnect(dispatch_uid=_ID)
        _open.clear()

    return detach


def _publish(headers: Any = None, **_: Any) -> None:
    with jobs.enqueueing:
        # A header that workers without us never look at; AMQP and JSON know texts alike.
        if isinstance(headers, dict):
            headers[KEY] = jobs.ticket()


def _begin(task: Any = None, task_id: Any = None, **_: Any) -> None:
    with jobs.beginning:
        request = task.request
        delivery = request.delivery_info or {}
        job = jobs.begin(
            task.name,
            request.get(KEY) or (request.headers or {}).get(KEY),
            due=jobs.wall_ns(request.eta),
            job=f"celery {task_id}",
            queue=None if request.is_eager else delivery.get("routing_key"),
            retries=request.retries or None,
        )
        if job is not None:
            _open[id(request)] = job


def _fail(sender: Any = None, exception: Any = None, **_: Any) -> None:
    with jobs.ending:
        job = _open.get(id(sender.request))
        if job is not None:
            job.fail(exception)


def _retry(request: Any = None, reason: Any = None, **_: Any) -> None:
    with jobs.ending:
        job = _open.get(id(request))
        if job is not None:
            job.retry(getattr(reason, "exc", None) or reason)


def _end(task: Any = None, state: Any = None, **_: Any) -> None:
    with jobs.ending:
        job = _open.pop(id(task.request), None)
        if job is not None:
            if state in _OUTCOMES:
                job.note(outcome=_OUTCOMES[state])
            job.end()


def _flush(**_: Any) -> None:
    jobs.flush()


_OUTCOMES = {"IGNORED": "ignored", "REJECTED": "rejected"}

_RECEIVERS = (
    ("before_task_publish", _publish),
    ("task_prerun", _begin),
    ("task_failure", _fail),
    ("task_retry", _retry),
    ("task_postrun", _end),
    # Children of the pool end by `os._exit`, where no exit handler of Python's runs.
    ("worker_process_shutdown", _flush),
    ("worker_shutdown", _flush),
)

PATCHES = (Attached("celery.signals", attach),)
