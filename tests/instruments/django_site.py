"""A Django site in a process of its own, for settings are one a process; prints its spans as JSON."""

# ruff: noqa: E402  (models can be imported only once the settings are there)

from __future__ import annotations

import asyncio
import json
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import django
from django.conf import settings

from apm_agent.errors import contained
from apm_agent.instruments import patching
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current
from apm_agent.tracing.tracer import Tracer

folder = Path(sys.argv[1])
(folder / "list.html").write_text(
    "{% extends 'base.html' %}"
    "{% block b %}{% for n in notes %}{% include 'row.html' %}{% endfor %}{% endblock %}"
)
(folder / "base.html").write_text("<{% block b %}{% endblock %}>")
(folder / "row.html").write_text("{{ n.title }}{{ n.fail }};")
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "site.db"}},
    INSTALLED_APPS=["django.contrib.contenttypes"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [folder]}],
    USE_TZ=True,
)
django.setup()

from django.db import IntegrityError, connection, models, transaction
from django.db.backends.signals import connection_created
from django.template import Template, loader


class Note(models.Model):
    title = models.CharField(max_length=100, unique=True)

    class Meta:
        app_label = "notes"

    def fail(self):
        if self.title == "bad":
            raise ValueError("bad note")
        return ""


tracing.tracer = Tracer(sink=lambda transaction: None)
seen: dict[str, object] = {}
original = Template.render
connection.ensure_connection()  # open before we come
receivers = len(connection_created.receivers)
patching.apply()
patching.apply()
wrapped = Template.render


@contextmanager
def watch(name):
    opened = tracing.tracer.begin("web", name)
    try:
        yield
    finally:
        assert current.get() is opened, name
        tracing.tracer.end(opened)
        index = {id(span): i for i, span in enumerate(opened.spans)}
        seen[name] = [
            [
                s.kind,
                s.name,
                s.statement,
                s.tags,
                index.get(id(s.parent)),
                bool(s.end_ns),
                s.place and s.place[0].co_name,
            ]
            for s in opened.spans
        ]


def create():
    with watch("create"), connection.schema_editor() as editor:
        editor.create_model(Note)


def orm():
    connection.close()
    connection.ensure_connection()
    with watch("orm"):
        Note.objects.create(title="a")
        Note.objects.bulk_create([Note(title="b"), Note(title="c")])
        with transaction.atomic():
            assert Note.objects.filter(title__contains="b").count() == 1
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE notes_note SET title = title WHERE id = %s", [(1,), (2,)])
    opened = tracing.tracer.begin("web", "fetched")
    assert len(Note.objects.all()) == 3
    assert Note.objects.get(pk=1).title == "a"
    tracing.tracer.end(opened)
    seen["fetched"] = [(s.fetched.rows, s.fetched.ns > 0, s.fetched.iterated) for s in opened.spans]
    with watch("error"):
        try:
            Note.objects.create(title="a")
        except IntegrityError as error:
            seen["error text"] = str(error)


def wrappers():
    """The wrappers of a connection are the user's alone, also where it opens while one is active."""

    def user(execute, sql, params, many, context):
        calls.append(sql)
        return execute(sql, params, many, context)

    calls = []
    connection.close()
    with connection.execute_wrapper(user), watch("wrappers"):
        assert connection.execute_wrappers == [user], "ours is not among the application's"
        Note.objects.count()
    assert connection.execute_wrappers == [], connection.execute_wrappers
    assert len(calls) == 1, calls
    Note.objects.count()
    assert len(calls) == 1


def thread():
    def work():
        with watch("thread"):
            Note.objects.count()
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()


async def asynchronous():
    with watch("async"):
        assert await Note.objects.acount() == 3
        titles = []  # no comprehension: that is a frame of its own before 3.12
        async for note in Note.objects.order_by("title"):
            titles.append(note.title)
        assert titles == ["a", "b", "c"]


def templates():
    notes = list(Note.objects.order_by("title")[:2])
    with watch("templates"):
        assert loader.get_template("list.html").render({"notes": notes}) == "<a;b;>"
    with watch("lazy"):
        assert loader.render_to_string("list.html", {"notes": Note.objects.order_by("title")}) == "<a;b;c;>"
    with watch("template error"):
        try:
            loader.render_to_string("list.html", {"notes": [Note(title="bad")]})
        except ValueError as error:
            seen["template error text"] = str(error)


create()
orm()
wrappers()
thread()
asyncio.run(asynchronous())
templates()
seen["states"] = {name: state for name, state, _ in patching.states()}
patching.remove()
assert Template.render is original is not wrapped
assert wrapped.__wrapped__ is original
assert connection.execute_wrappers == []
assert len(connection_created.receivers) == receivers
tracing.tracer = None
Note.objects.count()
seen["contained"] = [str(key) for key in contained.seen]
print(json.dumps(seen))
