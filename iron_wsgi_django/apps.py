"""The application for ``INSTALLED_APPS``: system checks and commands."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register

from .checks import ALWAYS, BEFORE_DEPLOYMENT


class IronWsgiDjangoConfig(AppConfig):
    """Registers the system checks. It has no models: sessions are in their cookies."""

    name = "iron_wsgi_django"
    verbose_name = "Sealed sessions"

    def ready(self) -> None:
        """Register the checks."""
        for check in ALWAYS:
            register(check, Tags.security)
        for check in BEFORE_DEPLOYMENT:
            register(check, Tags.security, deploy=True)
