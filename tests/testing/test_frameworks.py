"""The fixture in a small project of each framework, run by pytest itself."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest

Run = Callable[..., Any]


def test_flask(run: Run) -> None:
    done = run(
        {
            "app.py": """
                from flask import Flask, stream_with_context
                import shop

                app = Flask(__name__)

                @app.get("/orders/<int:page>")
                def orders(page):
                    return shop.slowly(shop.connect())

                @app.get("/quick")
                def quick():
                    return [name for name, in shop.quickly(shop.connect())]

                @app.get("/stream")
                def stream():
                    return (str(n) for n in range(3))
            """,
            "test_app.py": """
                import pytest
                from app import app

                def test_sees_requests(apm):
                    client = app.test_client()
                    assert client.get("/orders/1").status_code == 200
                    assert client.get("/quick").json == ["x"] * 12
                    assert [(t.name, t.status) for t in apm.transactions] == [
                        ("GET /orders/<int:page>", 200), ("GET /quick", 200)]
                    assert apm.last.name == "GET /quick"
                    assert apm.last.queries == apm.transactions[0].queries - 12

                def test_an_answer_that_nobody_read(apm):
                    answer = app.test_client().get("/stream")
                    assert apm.last.name == "GET /stream"
                    answer.close()

                def test_too_many(apm):
                    app.test_client().get("/orders/1")
                    apm.assert_max_queries(9)

                def test_n_plus_one(apm):
                    app.test_client().get("/orders/1")
                    apm.assert_no_repeated_queries()

                def test_quick_is_fine(apm):
                    app.test_client().get("/quick")
                    apm.assert_max_queries(6)
                    apm.assert_no_repeated_queries()

                @pytest.mark.apm(max_queries=9)
                def test_marked():
                    app.test_client().get("/orders/1")
            """,
        }
    )
    assert done.counts == {"passed": 3, "failed": 3}, done.text
    for words in ("GET /orders/<int:page> ran 16 statements, at most 9 allowed:",
                  "12× SELECT name FROM customers WHERE id = ?  at shop.py:14 in slowly",
                  "GET /orders/<int:page> repeats statements (from one line at most once):"):  # fmt: skip
        assert words in done.text, done.text


@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_asgi(framework: str, run: Run) -> None:
    made = {
        "starlette": """
            from starlette.applications import Starlette
            from starlette.responses import JSONResponse
            from starlette.routing import Route

            async def orders(request):
                return JSONResponse(shop.slowly(shop.connect()))

            app = Starlette(routes=[Route("/orders/{page:int}", orders)])
        """,
        "fastapi": """
            from fastapi import FastAPI

            app = FastAPI()

            @app.get("/orders/{page:int}")
            def orders(page: int):
                return shop.slowly(shop.connect())
        """,
    }[framework]
    done = run(
        {
            "app.py": "import shop\n" + dedent(made),
            "test_app.py": """
                import httpx
                from app import app
                from starlette.testclient import TestClient

                def test_sync(apm):
                    with TestClient(app) as client:
                        assert client.get("/orders/1").status_code == 200
                    assert apm.last.name == "GET /orders/{page:int}"
                    assert apm.last.status == 200
                    apm.assert_no_repeated_queries()

                async def test_async(apm):
                    transport = httpx.ASGITransport(app)
                    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                        with apm.assert_max_queries(16):
                            await client.get("/orders/1")
                        assert len(apm.transactions) == 1
                        with apm.assert_max_queries(15):
                            await client.get("/orders/2")
            """,
        }
    )
    assert done.counts == {"failed": 2}, done.text
    assert "GET /orders/{page:int} repeats statements" in done.text
    assert "GET /orders/{page:int} ran 16 statements, at most 15 allowed" in done.text


def test_django(run: Run) -> None:
    done = run(
        {
            "settings.py": """
                SECRET_KEY = "x"
                DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
                INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
                ROOT_URLCONF = "urls"
                USE_TZ = True
            """,
            "urls.py": """
                from django.contrib.auth.models import Group
                from django.http import JsonResponse
                from django.urls import path

                def groups(request, page):
                    found = [g.permissions.count() for g in Group.objects.all()]
                    return JsonResponse({"found": found})

                urlpatterns = [path("groups/<int:page>", groups)]
            """,
            "test_app.py": """
                import pytest
                from django.contrib.auth.models import Group
                from django.test import TestCase

                @pytest.fixture
                def groups(db):
                    Group.objects.bulk_create(Group(name=str(n)) for n in range(4))

                def test_n_plus_one(client, groups, apm):
                    assert client.get("/groups/1").status_code == 200
                    assert apm.last.name == "GET /groups/<int:page>"
                    apm.assert_max_queries(5)
                    apm.assert_no_repeated_queries()

                def test_a_piece(client, groups, apm):
                    client.get("/groups/1")
                    with apm.assert_max_queries(1):
                        list(Group.objects.all())
                    with apm.assert_max_queries(1):
                        list(Group.objects.all())
                        Group.objects.count()

                @pytest.mark.django_db
                async def test_async(async_client, apm):
                    await async_client.get("/groups/1")
                    assert (apm.last.name, apm.last.queries) == ("GET /groups/<int:page>", 1)

                @pytest.mark.apm(max_queries=3)
                class TestGroups(TestCase):
                    def test_marked(self):
                        Group.objects.bulk_create(Group(name=str(n)) for n in range(4))
                        self.client.get("/groups/1")

                def test_before_is_as_after(client, db):
                    from django.conf import settings
                    from django.db import connection
                    assert not any("apm" in name for name in settings.MIDDLEWARE)
                    assert connection.execute_wrappers == []
            """,
        },
        "--ds=settings",
    )
    assert done.counts == {"passed": 2, "failed": 3}, done.text
    assert "GET /groups/<int:page> repeats statements" in done.text
    assert "4× SELECT COUNT" in done.text
    assert "in groups()" in done.text
    assert "test_a_piece ran 2 statements, at most 1 allowed" in done.text
    assert "GET /groups/<int:page> ran 5 statements, at most 3 allowed" in done.text
