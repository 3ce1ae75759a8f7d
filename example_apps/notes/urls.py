"""Where the pages of the notebook are, and the dashboard under /apm/."""

from __future__ import annotations

import os

from django.urls import include, path

from notes import views

urlpatterns = [
    path("", views.index),
    path("authors/", views.authors),
    path("calendar/", views.calendar),
    path("notes/<int:pk>/", views.note),
    path("export.csv", views.export),
    path("pulse/", views.pulse),
]
if not os.environ.get("EXAMPLE_BARE"):
    urlpatterns.append(path("apm/", include("apm_agent.integrations.django.urls")))
