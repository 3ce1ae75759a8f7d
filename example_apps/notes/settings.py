"""Settings of the notebook; the agent needs the one line in INSTALLED_APPS and no more."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

SECRET_KEY = "not a secret: this is an example"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "notes.urls"
USE_TZ = True
INSTALLED_APPS = ["notes"]
if not os.environ.get("EXAMPLE_BARE"):  # the tests compare every answer with and without the agent
    INSTALLED_APPS = ["apm_agent.integrations.django", *INSTALLED_APPS]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASE = Path(os.environ.get("EXAMPLE_DATA") or tempfile.gettempdir()) / "apm-agent-example-notes.db"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
