"""The dashboard's URLs: ``path("apm/", include("apm_agent.integrations.django.urls"))``."""

from __future__ import annotations

from django.urls import re_path

from apm_agent.integrations.django.views import dashboard

urlpatterns = [re_path(r"^(?P<path>.*)$", dashboard, name="apm_agent")]
