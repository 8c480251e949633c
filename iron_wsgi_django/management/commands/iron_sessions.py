"""``manage.py iron_sessions``: list the sessions that a user has in the store."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from iron_wsgi import IronError
from iron_wsgi.servers.outages import ask
from iron_wsgi_django import conf


class Command(BaseCommand):
    """Lists a user's sessions, the latest first. The key that it prints can end a session, but open none."""

    help = (
        "List a user's sessions in the store: began, last written, expires (UTC), and what "
        "`iron_revoke --session` takes. Sessions in cookies are not known to any server."
    )
    requires_system_checks: ClassVar[list[str]] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the user."""
        parser.add_argument("user", metavar="ID", help="the user's primary key")

    def handle(self, *, user: str, **_options: object) -> None:
        """Print a line for each session.

        Raises:
            CommandError: The settings are unusable or name no store, or it does not answer.
        """
        try:
            store = conf.options().store
            if store is None:
                msg = "IRON_SESSION names no store"
                raise CommandError(msg, returncode=2)
            listed = ask("store", lambda: store.sessions_of(user))
        except (ImproperlyConfigured, IronError) as error:
            raise CommandError(str(error)) from None
        for session in listed:
            times = (session.created_at, session.written_at, session.expires_at)
            self.stdout.write("  ".join([*map(_text, times), session.key]))


def _text(moment: float | None) -> str:
    if moment is None:
        return f"{'never':<19}"
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%d %H:%M:%S}"
