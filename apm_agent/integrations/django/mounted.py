"""The URLs of a request below the setting `dashboard_path`; no other request sees them."""

from __future__ import annotations

import re

from django.urls import re_path

from apm_agent import agent
from apm_agent.integrations import mount
from apm_agent.integrations.django.views import dashboard

_at = mount.at(agent.config())

urlpatterns = [re_path(rf"^{re.escape(_at.prefix[1:])}(?P<path>/.*)?$", dashboard)] if _at is not None else []
