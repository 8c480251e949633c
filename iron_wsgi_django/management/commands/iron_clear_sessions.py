"""``manage.py iron_clear_sessions``: remove what has expired from the store and the list of revocations."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from iron_wsgi import IronError
from iron_wsgi_django import conf


class Command(BaseCommand):
    """Sweeps; to be run once a day. Django's own ``clearsessions`` does the same, and says nothing."""

    help = "Remove expired sessions from the store, and expired entries from the list of revocations."
    requires_system_checks: ClassVar[list[str]] = []

    def handle(self, **_options: object) -> None:
        """Sweep, and say how much there was.

        Raises:
            CommandError: The settings are unusable, or a server does not answer.
        """
        try:
            sessions, entries = conf.sweep()
        except (ImproperlyConfigured, IronError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{sessions} sessions and {entries} revocations have expired, and are removed.")
