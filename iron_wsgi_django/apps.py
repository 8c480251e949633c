"""The application for ``INSTALLED_APPS``: system checks, commands, and the tables of ``django-db:``."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.apps import apps as global_apps
from django.core.checks import Tags, register
from django.db import router
from django.db.models.signals import post_migrate

from .checks import ALWAYS, BEFORE_DEPLOYMENT
from .revocation import DatabaseRevocations


class IronWsgiDjangoConfig(AppConfig):
    """Registers the system checks. Its tables stay empty unless ``IRON_SESSION`` names a database."""

    name = "iron_wsgi_django"
    verbose_name = "Sealed sessions"

    def ready(self) -> None:
        """Register the checks, and have a list that was emptied know it."""
        for check in ALWAYS:
            register(check, Tags.security)
        for check in BEFORE_DEPLOYMENT:
            register(check, Tags.security, deploy=True)
        post_migrate.connect(_begin_the_list, sender=self, dispatch_uid="iron_wsgi_django begins the list")


def _begin_the_list(*, using: str, apps: Any = global_apps, **_migrated: object) -> None:
    """Note since when a list without entries is complete: after ``flush`` and between tests, since now.

    The list would find out by itself, but at the cost of the session that it is asked about.
    """
    try:
        model = apps.get_model("iron_wsgi_django", "Revocation")
    except LookupError:
        return  # the table was removed
    if router.allow_migrate_model(using, model):
        DatabaseRevocations(using).begin()
