"""``manage.py iron_inspect``: show what is in a cookie, and whether the site's passwords open it."""

from __future__ import annotations

import sys
from typing import ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from iron_wsgi import IronError
from iron_wsgi.cli.inspection import inspect
from iron_wsgi_django.conf import options


class Command(BaseCommand):
    """Shows the parts of a cookie, its expiry, and its data if the site's passwords open it."""

    help = (
        "Show what a cookie proves under the settings' passwords, and what it holds. "
        "Exit codes: 0 done, 1 a seal could not be opened, 2 wrong use or wrong settings."
    )
    # The command is for the case that something is wrong.
    requires_system_checks: ClassVar[list[str]] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the cookie and ``--purpose``."""
        about = "a value, name=value or a whole header, as copied from a browser; without it standard input"
        parser.add_argument("cookie", nargs="*", help=about)
        parser.add_argument("--purpose", help="what the seal is for, as in iron_wsgi_django.sealer(purpose)")

    def handle(self, *, cookie: list[str], purpose: str | None, **_options: object) -> None:
        """Print the report.

        Raises:
            CommandError: A seal could not be opened, there is none, or the settings are unusable.
        """
        try:
            chosen = options()
            passwords = chosen.password if purpose is None else chosen.password.derive(purpose)
        except (IronError, ImproperlyConfigured) as error:
            raise CommandError(str(error), returncode=2) from None
        text = " ".join(cookie) or sys.stdin.read()
        try:
            report = inspect(text, passwords, iterations=chosen.iterations, clock=chosen.clock)
        except IronError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(report.text)
        if not report.is_opened:
            msg = "a seal could not be opened"
            raise CommandError(msg)
