"""Django's tasks: those of Django 6, where this Python has it, and those of django-tasks, with a real worker."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.server

SETTINGS = """
import django
SECRET_KEY = "x"
SIX = django.VERSION >= (6, 0)
INSTALLED_APPS = ["django_tasks_db"] if SIX else ["django_tasks", "django_tasks_db"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
IMMEDIATE = "django.tasks" if SIX else "django_tasks"
TASKS = {
    "default": {"BACKEND": "django_tasks_db.DatabaseBackend"},
    "now": {"BACKEND": IMMEDIATE + ".backends.immediate.ImmediateBackend"},
}
"""

MANAGE = """
import os
import sys
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""

TASKS = """
try:
    from django.tasks import task
except ImportError:
    from django_tasks import task

@task()
def add(a, b):
    return a + b

@task()
def broken():
    raise ValueError("no such card: 'hunter2'")
"""

ENQUEUE = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
import django
django.setup()
import apm_agent
from shop import add, broken

with apm_agent.background_transaction("enqueuer"):
    add.enqueue(1, 1)
    broken.enqueue()
    add.using(backend="now").enqueue(2, 2)
broken.using(backend="now").enqueue()
"""


def test_a_run_of_a_task_is_a_transaction(site: Any) -> None:
    site.write("site_settings.py", SETTINGS)
    site.write("manage.py", MANAGE)
    site.write("shop.py", TASKS)
    site.write("enqueue.py", ENQUEUE)
    site.run("python", "manage.py", "migrate", "--verbosity", "0", watched=False)
    site.run("python", "enqueue.py")
    (at_once,) = site.named("shop.broken", 1)
    assert at_once.failed
    assert at_once.error == "ValueError"
    assert site.named("shop.add") == [], "inside a transaction it is a part of that"

    output = site.run("python", "manage.py", "db_worker", "--batch", "--no-startup-delay")
    added = site.one("shop.add")
    assert added.kind == "background"
    assert added.queue_ns is not None
    assert added.context["queue"] == "default"
    assert [ran.failed for ran in site.named("shop.broken", 2)] == [True, True]
    assert "manage.py db_worker" not in {ran.name for ran in site.ran()}
    site.keeps_no_secret()
    assert "apm-agent failed" not in output


SIGNALS = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
import django
django.setup()
from importlib import import_module
from site_settings import IMMEDIATE
from apm_agent.instruments import patching

signals = import_module(IMMEDIATE + ".signals")
both = signals.task_started, signals.task_finished
before = [list(signal.receivers) for signal in both]
patching.apply()
assert [len(signal.receivers) for signal in both] == [len(receivers) + 1 for receivers in before]
patching.remove()
assert [list(signal.receivers) for signal in both] == before
"""


def test_signals_are_as_they_were_afterwards(site: Any) -> None:
    site.write("site_settings.py", SETTINGS)
    site.write("check.py", SIGNALS)
    site.run("python", "check.py", watched=False)
