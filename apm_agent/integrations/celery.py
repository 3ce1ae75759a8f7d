"""Celery: a transaction a run of a task, through its signals, in whatever pool it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from apm_agent.clock import system
from apm_agent.instruments.rows import Attached
from apm_agent.instruments.support import Support
from apm_agent.integrations import jobs
from apm_agent.integrations.jobs import KEY, Job

_ID = "apm_agent.integrations.celery"

#: id of the task's request → its run. A request lives as long as the run, and is nobody's to write into.
_open: dict[int, Job] = {}
#: Not empty in a child of a pool of processes.
_pool: list[bool] = []
#: id of a task → the request the worker's first process holds as long as it is not done.
_received: WeakValueDictionary[str, Any] = WeakValueDictionary()


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


def _fail(sender: Any = None, task_id: Any = None, exception: Any = None, **_: Any) -> None:
    with jobs.ending:
        job = _open.get(id(sender.request))
        if job is not None:
            job.fail(exception)
        elif type(exception).__name__ in _DEATHS:
            request = _received.pop(task_id, None)  # told twice where the pool then loses the process
            if request is not None:
                _kill(sender.name, request, exception, "killed")


def _receive(request: Any = None, **_: Any) -> None:
    with jobs.beginning:
        _received[request.id] = request


def _revoke(sender: Any = None, request: Any = None, terminated: Any = None, **_: Any) -> None:
    with jobs.ending:
        known = _received.pop(request.id, None) if terminated else None
        if known is not None:
            _kill(sender.name, known, None, "revoked")


def _kill(name: str, request: Any, exception: BaseException | None, outcome: str) -> None:
    """Told by the worker's first process of a child that was lost, or took longer than it may, or was stopped."""
    begun = jobs.wall_ns(request.time_start)
    headers, delivery = request.request_dict, request.delivery_info or {}
    jobs.killed(
        name,
        0 if begun is None else max(0, system.wall() - begun),
        exception,
        headers.get(KEY),
        due=jobs.wall_ns(headers.get("eta")),
        job=f"celery {request.id}",
        queue=delivery.get("routing_key"),
        retries=headers.get("retries") or None,
        outcome=outcome,
    )


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
            elif state is None and _pool:
                job.drop()  # it is being killed: the worker's first process tells of it, and knows why
            job.end()


def _pooled(**_: Any) -> None:
    _pool.append(True)


def _flush(**_: Any) -> None:
    jobs.flush()


_DEATHS = frozenset({"TimeLimitExceeded", "WorkerLostError"})
_OUTCOMES = {"IGNORED": "ignored", "REJECTED": "rejected"}

_RECEIVERS = (
    ("before_task_publish", _publish),
    ("task_received", _receive),
    ("task_prerun", _begin),
    ("task_failure", _fail),
    ("task_retry", _retry),
    ("task_postrun", _end),
    ("task_revoked", _revoke),
    ("worker_process_init", _pooled),
    # Children of the pool end by `os._exit`, where no exit handler of Python's runs.
    ("worker_process_shutdown", _flush),
    ("worker_shutdown", _flush),
)

PATCHES = (Attached("celery.signals", attach),)

#: For docs/supported.md.
SUPPORT = Support(
    "Jobs",
    "Celery (prefork, threads, gevent, solo, eager)",
    "its signals",
    "each run of a task as a transaction by the task's name, its wait apart, retries told from failures, "
    "those whose process was killed, who enqueued it (message header `apm_agent`)",
    ("celery",),
)
