"""``manage.py iron_revoke``: end sessions of one user, one session, or all."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from iron_wsgi import IronError
from iron_wsgi.servers.outages import ask
from iron_wsgi_django import conf
from iron_wsgi_django.sessions import termination

STORE_KEY: Final = re.compile(r"[0-9a-f]{64}")
"""The key that `iron_sessions` prints of a session."""


class Command(BaseCommand):
    """Ends somebody's sessions, one session, or all."""

    help = (
        "End sessions: a user's, one, or all. Needs IRON_SESSION to name a list of revocations or a store. "
        "Exit codes: 0 done, 1 it could not be done, 2 wrong use or wrong settings."
    )
    # A failed check must not stop it in an emergency.
    requires_system_checks: ClassVar[list[str]] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--user``, ``--session``, ``--all`` and ``--before``."""
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--user", metavar="ID", help="those of the user with this primary key")
        which.add_argument(
            "--session", metavar="KEY", help="one: its session key, its cookie, or as iron_sessions lists it"
        )
        which.add_argument("--all", action="store_true", help="everybody's; needs a list of revocations")
        parser.add_argument(
            "--before",
            type=_moment,
            metavar="TIME",
            help="only sessions that began before, such as 2026-01-31T12:00Z; now, if it is not given",
        )

    def handle(
        self,
        *,
        user: str | None,
        session: str | None,
        before: float | None,
        **_options: object,
    ) -> None:
        """End the sessions.

        Raises:
            CommandError: The settings are unusable or name neither, or a server does not answer.
        """
        if session is not None and before is not None:
            msg = "--before is for --user and --all"
            raise CommandError(msg, returncode=2)
        if "" in (user, session):
            msg = "whose sessions? The argument is empty"
            raise CommandError(msg, returncode=2)
        try:
            if before is not None and before > conf.engine().now():
                msg = "--before is in the future: sessions that are yet to begin would be over"
                raise CommandError(msg, returncode=2)
            if session is not None:
                done = _end_one(session)
            elif user is not None:
                done = _end_of(user, before)
            else:
                done = _end_all(before)
        except ImproperlyConfigured as error:
            raise CommandError(str(error), returncode=2) from None
        except IronError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(done)


def _end_one(key: str) -> str:
    store = conf.options().store
    is_listed = store is not None and STORE_KEY.fullmatch(key) and ask("store", lambda: store.delete(key))
    if not is_listed and not termination.end_by_key(key):
        raise _lacking("list of revocations, and not storage='store'")
    return "The session is over."


def _end_of(user: str, before: float | None) -> str:
    store, revocations = conf.options().store, conf.options().revocations
    if store is None and revocations is None:
        raise _lacking("list of revocations, and no store")
    if revocations is not None:
        ask("list of revocations", lambda: revocations.revoke_subject(user, before=before))
    count = 0
    if store is not None:
        for listed in ask("store", lambda: store.sessions_of(user)):
            if before is None or listed.created_at < before:
                count += ask("store", lambda: store.delete(listed.key))  # noqa: B023 - asked at once
    removed = "" if store is None else f" {count} removed from the store."
    if revocations is None:
        return f"The user's sessions that the store has are over.{removed}"
    return f"The user's sessions are over.{removed}"


def _end_all(before: float | None) -> str:
    revocations = conf.options().revocations
    if revocations is None:
        raise _lacking("list of revocations")
    ask("list of revocations", lambda: revocations.revoke_all(before=before))
    return "All sessions are over."


def _lacking(what: str) -> CommandError:
    return CommandError(f"IRON_SESSION names no {what}", returncode=2)


def _moment(text: str) -> float:
    """Return a moment as epoch seconds; one without a time zone is in the site's."""
    moment: datetime | None = parse_datetime(text)
    if moment is None:
        raise ValueError(text)
    aware: Any = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
    return float(aware.timestamp())
