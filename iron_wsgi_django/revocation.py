"""The list of revocations in one of the site's own databases: ``{"revocations": "django-db:default"}``."""

from __future__ import annotations

from typing import Any, Final, final

from django.db import DEFAULT_DB_ALIAS, DatabaseError
from django.db.models.functions import Greatest

from iron_wsgi import Refused
from iron_wsgi.revocation import LONGEST, Revocations
from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.times import Clock, milliseconds, now

from .rows import Rows

ALL: Final = "all"
"""The name of the entry that ends the sessions of all."""

SINCE: Final = "since"
"""The name of the entry that says since when the list is complete. The migration makes it, with moment 0."""

TRIES: Final = 3
"""For an entry that comes and goes while it is looked at: a sweep goes on."""


@final
class DatabaseRevocations(Revocations):
    """Keeps the list by Django's own connection to a database, in the table that ``manage.py migrate`` makes.

    It is asked by one query. An entry is part of the transaction that is open on the connection: what a view
    noted by itself is rolled back with it. The end of the visitor's own session stays: our middleware sees to
    that, after the transaction; Django's does not. Name an alias of its own to have entries stand apart.

    A list whose table was emptied knows it: what began before that was noticed is refused from then on.
    """

    def __init__(self, alias: str = DEFAULT_DB_ALIAS, *, clock: Clock | None = None) -> None:
        """Use the database *alias* for reading and writing; *clock* returns epoch seconds.

        Routers are not asked: a replica may lag, and would let in a session that was ended a moment ago.
        """
        self._rows = Rows("Revocation", alias)
        self._clock = clock

    @property
    def is_in_transaction(self) -> bool:
        """Whether what is written now may be rolled back later."""
        return self._rows.is_in_transaction

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        """See `Revocations.is_revoked`."""
        at, issued = now(self._clock), milliseconds(issued_at)
        names = [SINCE, ALL, key_of(sid)] + ([] if subject is None else [subject_key_of(subject)])
        found = self._rows.living(at).filter(name__in=names).values_list("name", "before")
        moments: dict[str, int | None] = dict(found)
        complete_since = moments.pop(SINCE, None)
        if any(before is None or issued < before for before in moments.values()):
            return True
        if complete_since is None:
            self.begin()
        if complete_since is None or issued < complete_since:
            raise Refused("lost")
        return False

    def begin(self) -> None:
        """Note that the list is complete from now on, and not before, unless it knows since when it is."""
        self._rows.insert(name=SINCE, before=milliseconds(now(self._clock)), expires_at=None)

    def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
        """See `Revocations.revoke`."""
        at = now(self._clock)
        end = at + LONGEST if expires_at is None else expires_at
        return self._note(key_of(sid), at, end, before=None)

    def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
        """See `Revocations.revoke_subject`."""
        self._revoke_before(subject_key_of(subject), before)

    def revoke_all(self, *, before: float | None = None) -> None:
        """See `Revocations.revoke_all`."""
        self._revoke_before(ALL, before)

    def _revoke_before(self, name: str, before: float | None) -> None:
        at = now(self._clock)
        moment = at if before is None else before
        self._note(name, at, max(at, moment) + LONGEST, before=milliseconds(moment))

    def _note(self, name: str, at: float, end: float, *, before: int | None) -> bool:
        """Have an entry that says at least this. Return whether there was none that counted."""
        entry = self._rows.all().filter(name=name)
        changes: dict[str, Any] = {} if before is None else {"before": Greatest("before", before)}
        for _ in range(TRIES):
            if self._rows.insert(name=name, before=before, expires_at=end):
                return True
            # Each is one statement, so that of parallel calls one alone finds an entry that has expired.
            if entry.filter(expires_at__lte=at).update(expires_at=end, **changes):
                return True
            if entry.update(expires_at=Greatest("expires_at", end), **changes):
                return False
        msg = "an entry of the list of revocations can neither be written nor found"
        raise DatabaseError(msg)

    def sweep(self) -> int:
        """See `Revocations.sweep`."""
        return self._rows.sweep(now(self._clock))
