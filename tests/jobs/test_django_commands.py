"""Django's management commands, as people run them."""

from __future__ import annotations

import inspect
import urllib.request
from typing import Any

import pytest

from apm_agent.instruments import patching
from servers import free_port

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["shop"]
ROOT_URLCONF = "site_urls"
ALLOWED_HOSTS = ["*"]
DEBUG = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
"""

URLS = """
from django.core.management import call_command
from django.http import HttpResponse
from django.urls import path

def view(request):
    call_command("prices", verbosity=0)
    return HttpResponse("done")

urlpatterns = [path("prices/", view)]
"""

MANAGE = """
import os
import sys
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""

PRICES = """
import sys
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--how", default="")

    def handle(self, *args, how, **options):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if how == "fail":
            raise CommandError("no price for 'hunter2'")
        if how == "exit":
            sys.exit(3)
        if how == "leave":
            sys.exit(0)
"""


@pytest.fixture
def django(site: Any) -> Any:
    commands = site.folder / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    for folder in (commands, commands.parent, commands.parent.parent):
        (folder / "__init__.py").touch()
    (commands / "prices.py").write_text(PRICES)
    (commands / "consume.py").write_text(PRICES)
    site.write("site_settings.py", SETTINGS)
    site.write("site_urls.py", URLS)
    site.write("manage.py", MANAGE)
    return site


@pytest.mark.server
def test_a_command_is_a_transaction(django: Any) -> None:
    django.run("python", "manage.py", "prices")
    django.run("python", "manage.py", "prices", "--how", "leave")
    for how, code in (("fail", 1), ("exit", 3)):
        with django.program("python", "manage.py", "prices", "--how", how) as program:
            assert program.wait() == code, program.output
    ran = django.ran(4)
    assert [(one.kind, one.name) for one in ran] == [("background", "manage.py prices")] * 4
    assert [one.error for one in ran] == ["", "", "django.core.management.base.CommandError", "SystemExit"]
    django.keeps_no_secret()


@pytest.mark.server
def test_by_installed_apps_alone(django: Any) -> None:
    django.write(
        "site_settings.py", SETTINGS.replace('["shop"]', '["apm_agent.integrations.django", "shop"]')
    )
    django.run("python", "manage.py", "migrate", "--verbosity", "0", watched=False)
    assert django.one("manage.py migrate").failed is False


@pytest.mark.server
def test_a_server_is_none_and_a_command_in_a_request_is_a_span(django: Any) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    with django.program("python", "manage.py", "runserver", "--noreload", address, port=port) as server:
        urllib.request.urlopen(f"http://{address}/prices/", timeout=20).close()
        django.one("GET /prices/")
        server.stop(2)
    assert [ran.name for ran in django.ran()] == ["GET /prices/"]


@pytest.mark.server
def test_one_of_the_application_that_never_ends_can_be_left_alone(django: Any) -> None:
    django.env["APM_AGENT_IGNORE"] = "manage.py consume"
    django.run("python", "manage.py", "consume")
    django.run("python", "manage.py", "prices")
    assert [ran.name for ran in django.ran(1)] == ["manage.py prices"]


def test_what_is_patched_stays_what_it_was() -> None:
    from django.core.management.base import BaseCommand

    before = vars(BaseCommand)["execute"]
    patching.apply()
    assert inspect.signature(BaseCommand.execute) == inspect.signature(before)
    patching.remove()
    assert vars(BaseCommand)["execute"] is before
