"""Django: ``INSTALLED_APPS = ["apm_agent.integrations.django", ...]`` is all there is to do."""
