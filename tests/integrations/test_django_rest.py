"""Django REST framework and Django Ninja, which sit on Django: their routes are Django's, their views their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from frameworks import visit, write
from servers import script

pytestmark = pytest.mark.server

SITE = """
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": [],
                    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
)
django.setup()
from django.core.wsgi import get_wsgi_application
from django.urls import include, path
from ninja import NinjaAPI, Router
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet
import common

class Orders(ViewSet):
    def list(self, request):
        return Response([])
    def retrieve(self, request, pk=None):
        return Response({"order": pk})

class Echo(APIView):
    def post(self, request):
        return Response(len(request.body))
    def get(self, request):
        common.price()

router = DefaultRouter()
router.register("orders", Orders, basename="order")
api = NinjaAPI(urls_namespace="ninja")
users = Router()

@users.get("/{int:number}")
def user(request, number: int):
    return {"user": number}

@users.get("/fail/now")
def fail(request):
    common.price()

api.add_router("/users", users)
urlpatterns = [path("rest/", include(router.urls)), path("echo", Echo.as_view()), path("ninja/", api.urls)]
app = get_wsgi_application()
"""
ASKED = [
    ("GET", "/rest/orders/", b""),
    ("GET", "/rest/orders/7/", b""),
    ("GET", "/rest/orders/8/?secret=1", b""),
    ("POST", "/echo", b"{}"),
    ("GET", "/echo", b""),
    ("GET", "/ninja/users/7", b""),
    ("GET", "/ninja/users/fail/now", b""),
    ("GET", "/rest/none/1", b""),
    ("GET", "/ninja/none/2", b""),
]


def test_names_are_those_of_the_routes(tmp_path: Path) -> None:
    folder = write(tmp_path, SITE)

    def command(port: int) -> list[str]:
        return [script("gunicorn"), "--threads", "2", "--bind", f"127.0.0.1:{port}", "site_:app"]

    bare, _ = visit(command, folder, ASKED, (), watched=False)
    watched, found = visit(command, folder, ASKED, ())
    assert watched == bare
    price = ("LookupError", "price")
    assert [(seen.name, seen.status, seen.failure) for seen in found] == [
        ("GET /rest/orders/", 200, None),
        ("GET /rest/orders/<pk>/", 200, None),
        ("GET /rest/orders/<pk>/", 200, None),
        ("POST /echo", 200, None),
        ("GET /echo", 500, price),
        ("GET /ninja/users/<int:number>", 200, None),
        ("GET /ninja/users/fail/now", 500, price),
        ("GET 404", 404, None),
        ("GET 404", 404, None),
    ]
