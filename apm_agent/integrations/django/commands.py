"""Django's management commands: each a transaction named ``manage.py <command>``, but those that serve or wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent import agent
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations import jobs

#: Commands that run until they are stopped: what they do, request by request or job by job, is what counts. The test
#: runner is one of them, and so are shells. Those of an application are named in the setting `ignore`.
SERVING = frozenset(
    {
        "runserver", "runserver_plus", "testserver", "test", "shell", "shell_plus", "dbshell", "runworker",
        "run_gunicorn", "runmodwsgi", "runuvicorn", "rundaphne", "rqworker", "rqworker-pool", "rqscheduler",
        "run_huey", "djangohuey", "rundramatiq", "qcluster", "process_tasks", "db_worker", "runapscheduler", "celery",
        "livereload", "tailwind",
    }
)  # fmt: skip


def execute(wrapped: Callable[..., Any], command: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``BaseCommand.execute(…)``: from the command line as from ``call_command``, which inside a request is a span."""
    run = None
    with jobs.beginning:
        name = type(command).__module__.rpartition(".")[2]
        if name not in SERVING and not _is_ignored(f"manage.py {name}"):
            run = jobs.begin(f"manage.py {name}")
    if run is None:
        return wrapped(*args, **kwargs)
    try:
        return wrapped(*args, **kwargs)
    except SystemExit as error:
        if error.code not in (None, 0):
            run.fail(error)
        raise
    except KeyboardInterrupt:
        run.note(outcome="interrupted")
        raise
    except BaseException as error:
        run.fail(error)
        raise
    finally:
        with jobs.ending:
            run.end()


def _is_ignored(name: str) -> bool:
    config = agent.config()
    return config is not None and name in config.ignore


PATCHES = (Returning("django.core.management.base:BaseCommand.execute", execute),)

#: For docs/supported.md.
SUPPORT = Support(
    "Jobs",
    "Django: management commands",
    "patch of `BaseCommand.execute`",
    "each command as the transaction `manage.py <command>`, inside a request as a span; not servers, "
    'workers, shells and the test runner. A command of your own that never ends: `ignore=["manage.py '
    'consume"]` leaves it alone, and what it runs is seen',
    ("Django",),
)
