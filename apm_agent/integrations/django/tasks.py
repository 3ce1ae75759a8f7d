"""Django's tasks, of Django 6 and of the package django-tasks: a transaction a run, through their signals."""

from __future__ import annotations

from collections.abc import Callable
from sys import exc_info
from typing import Any

from apm_agent.instruments.rows import Attached
from apm_agent.instruments.support import Support
from apm_agent.integrations import jobs
from apm_agent.integrations.jobs import Job

_ID = "apm_agent.integrations.django.tasks"

#: id of a result whose task runs → its run.
_open: dict[str, Job] = {}


def attach(signals: Any) -> Callable[[], None]:
    """Listen to the two signals around each run."""
    signals.task_started.connect(_begin, weak=False, dispatch_uid=_ID)
    signals.task_finished.connect(_end, weak=False, dispatch_uid=_ID)

    def detach() -> None:
        signals.task_started.disconnect(dispatch_uid=_ID)
        signals.task_finished.disconnect(dispatch_uid=_ID)
        _open.clear()

    return detach


def _begin(sender: Any, task_result: Any, **_: Any) -> None:
    with jobs.beginning:
        task = task_result.task
        run = jobs.begin(
            task.module_path,
            enqueued=jobs.wall_ns(task_result.enqueued_at),
            due=jobs.wall_ns(task.run_after),
            job=f"django {task_result.id}",
            queue=task.queue_name,
        )
        if run is not None:
            _open[str(task_result.id)] = run


def _end(sender: Any, task_result: Any, **_: Any) -> None:
    with jobs.ending:
        run = _open.pop(str(task_result.id), None)
        if run is not None:
            if str(task_result.status) == "FAILED":
                run.fail(exc_info()[1])  # sent where it is being handled
            run.end()


PATCHES = (
    Attached("django.tasks.signals", attach),
    Attached("django_tasks.signals", attach),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Jobs",
    "Django 6: tasks, and django-tasks before it",
    "their signals",
    "each run as a transaction by the task's path, its wait; run at once inside a request it is a span; "
    "results have no room for who enqueued them",
    ("Django", "django-tasks"),
)
