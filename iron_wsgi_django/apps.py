"""The application for ``INSTALLED_APPS``: system checks, commands, and the tables of ``django-db:``."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.apps import apps as global_apps
from django.core.checks import Tags, register
from django.db import router
from django.db.models.signals import post_migrate

from .checks import ALWAYS, BEFORE_DEPLOYMENT
from .databases.revocations import DatabaseRevocations


class IronWsgiDjangoConfig(AppConfig):
    """The application. Its tables stay empty unless ``IRON_SESSION`` names a database."""

    name = "iron_wsgi_django"
    verbose_name = "Sealed sessions"

    def ready(self) -> None:
        """Register the system checks, and begin an emptied list of revocations after each migration."""
        for check in ALWAYS:
            register(check, Tags.security)
        for check in BEFORE_DEPLOYMENT:
            register(check, Tags.security, deploy=True)
        post_migrate.connect(_begin_list, sender=self, dispatch_uid="iron_wsgi_django begins the list")


def _begin_list(*, using: str, apps: Any = global_apps, **_signal: object) -> None:
    """Note since when an empty list is complete: now, after ``flush`` and between tests.

    Otherwise the list would find out at its first check, and refuse the session that is checked.
    """
    try:
        model = apps.get_model("iron_wsgi_django", "Revocation")
    except LookupError:
        return  # the table was removed
    if router.allow_migrate_model(using, model):
        DatabaseRevocations(using).begin()
