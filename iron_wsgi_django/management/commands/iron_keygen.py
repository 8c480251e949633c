"""``manage.py iron_keygen``: print a new password."""

from __future__ import annotations

from typing import ClassVar

from django.core.management.base import BaseCommand, CommandParser

from iron_wsgi import generate_password


class Command(BaseCommand):
    """Prints a new password: 256 random bits from the operating system."""

    help = (
        "Print a new session password. Settings take it as IRON_SESSION = "
        '{"password": os.environ["IRON_SESSION_PASSWORD"]}; never write it into the settings file itself.'
    )
    # The settings may lack the password.
    requires_system_checks: ClassVar[list[str]] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--env``."""
        parser.add_argument("--env", action="store_true", help="print it as IRON_SESSION_PASSWORD=...")

    def handle(self, *, env: bool, **_options: object) -> None:
        """Print the password."""
        self.stdout.write(f"IRON_SESSION_PASSWORD={generate_password()}" if env else generate_password())
