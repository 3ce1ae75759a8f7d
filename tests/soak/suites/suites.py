"""The suites of others that run under the agent: what each needs, how it is started, what of it runs."""

from __future__ import annotations

from typing import NamedTuple


class Suite(NamedTuple):
    """One project's own tests."""

    package: str
    #: what its tests import, as its own project file asks for
    needs: tuple[str, ...]
    #: of pytest, or labels of Django's own runner
    arguments: tuple[str, ...] = ()
    #: where it is started, in its sources
    folder: str = "."
    #: Django's tests have a runner of their own
    runner: str = "pytest"
    #: whether something must be recorded
    told: bool = True

    def command(self, report: str) -> list[str]:
        """What follows `python`; pytest leaves its results at `report`, Django's runner says them."""
        if self.runner == "pytest":
            quiet = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
            return ["-m", "pytest", *quiet, *self.arguments]
        return ["runtests.py", "--settings=test_sqlite", "--parallel=1", "--noinput", *self.arguments]


_DJANGO = """
requests_tests handlers middleware middleware_exceptions template_tests template_backends sessions_tests
staticfiles_tests test_client test_client_regress async asgi wsgi urlpatterns urlpatterns_reverse
logging_tests view_tests signals transactions transaction_hooks backends basic queries aggregation bulk_create
cache csrf_tests httpwrappers responses resolve_url shortcuts generic_views db_utils select_related
prefetch_related messages_tests context_processors contenttypes_tests auth_tests user_commands apps servers
flatpages_tests decorators dispatch settings_tests fixtures syndication_tests
"""

SUITES = (
    # From pytest 9 on one of Flask's tests cannot import what it took from pytest's inside.
    Suite("flask", ("asgiref", "greenlet", "pytest<9", "pytest-timeout", "python-dotenv"), ("--timeout=30",)),
    Suite(
        "starlette",
        (
            "blockbuster",
            "httpx",
            "httpx2[zstd]",
            "importlib-metadata",
            "itsdangerous",
            "jinja2",
            "opentelemetry-sdk",
            "pytest",
            "pytest-codspeed",
            "pytest-timeout",
            "python-multipart",
            "pyyaml",
            "trio",
        ),
        ("--timeout=30",),
    ),
    Suite(
        "werkzeug",
        ("cffi", "cryptography", "ephemeral-port-reserve", "pytest", "pytest-timeout", "watchdog"),
        ("--timeout=30",),
        told=False,  # its tests call functions, and kill the servers they start before these have written anything
    ),
    Suite(
        "django",
        ("argon2-cffi", "bcrypt", "docutils", "jinja2", "Pillow", "PyYAML", "sqlparse", "tblib", "tzdata"),
        tuple(_DJANGO.split()),
        folder="tests",
        runner="django",
    ),
)
