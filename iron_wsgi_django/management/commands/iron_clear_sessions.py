"""``manage.py iron_clear_sessions``: remove expired sessions and revocations."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from iron_wsgi import IronError
from iron_wsgi_django import conf


class Command(BaseCommand):
    """Sweeps the store and the list; to be run once a day. Django's ``clearsessions`` does it silently."""

    help = "Remove expired sessions from the store, and expired entries from the list of revocations."
    requires_system_checks: ClassVar[list[str]] = []

    def handle(self, **_options: object) -> None:
        """Sweep, and print the numbers.

        Raises:
            CommandError: The settings are unusable, or a server does not answer.
        """
        try:
            sessions, entries = conf.sweep()
        except (ImproperlyConfigured, IronError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{sessions} sessions and {entries} revocations have expired, and are removed.")
