"""The list of revocations in one of the site's databases: ``{"revocations": "django-db:default"}``."""

from __future__ import annotations

from typing import Any, Final, final

from django.db import DEFAULT_DB_ALIAS, DatabaseError
from django.db.models.functions import Greatest

from iron_wsgi import Refused
from iron_wsgi.revocation import LONGEST, Revocations
from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.times import Clock, milliseconds, now

from .table import Table

ALL: Final = "all"
"""The name of the entry that revokes the sessions of everybody."""

COMPLETE_SINCE: Final = "since"
"""The name of the entry that holds since when the list is complete. The migration writes it with moment 0."""

TRIES: Final = 3
"""How often an entry is looked for that a parallel sweep may delete at the same time."""


@final
class DatabaseRevocations(Revocations):
    """Keeps the list in the table that ``manage.py migrate`` makes, over Django's own connection.

    A check is one query. An entry belongs to the transaction that is open on the connection: what a view
    revokes is rolled back with the view. The end of the visitor's own session is not: our middleware revokes
    it again after the transaction; Django's middleware does not. A database alias of its own keeps entries
    out of the transactions of views.

    A list whose table was emptied notices it, and refuses from then on the sessions that began before.
    """

    def __init__(self, alias: str = DEFAULT_DB_ALIAS, *, clock: Clock | None = None) -> None:
        """Read from and write to the database *alias*; *clock* returns epoch seconds.

        Database routers are not asked: a replica that lags would accept a session that has just been revoked.
        """
        self._table = Table("Revocation", alias)
        self._clock = clock

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open, so that what is written now may be rolled back."""
        return self._table.is_in_transaction

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        """See `Revocations.is_revoked`."""
        at, issued = now(self._clock), milliseconds(issued_at)
        names = [COMPLETE_SINCE, ALL, key_of(sid)]
        if subject is not None:
            names.append(subject_key_of(subject))
        rows = self._table.unexpired(at).filter(name__in=names).values_list("name", "before")
        moments: dict[str, int | None] = dict(rows)
        complete_since = moments.pop(COMPLETE_SINCE, None)
        if any(before is None or issued < before for before in moments.values()):
            return True
        if complete_since is None:
            self.begin()
        if complete_since is None or issued < complete_since:
            raise Refused("lost")
        return False

    def begin(self) -> None:
        """Note that the list is complete from now on, unless it knows since when it is."""
        self._table.insert(name=COMPLETE_SINCE, before=milliseconds(now(self._clock)), expires_at=None)

    def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
        """See `Revocations.revoke`."""
        at = now(self._clock)
        end = at + LONGEST if expires_at is None else expires_at
        return self._write(key_of(sid), at, end, before=None)

    def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
        """See `Revocations.revoke_subject`."""
        self._revoke_before(subject_key_of(subject), before)

    def revoke_all(self, *, before: float | None = None) -> None:
        """See `Revocations.revoke_all`."""
        self._revoke_before(ALL, before)

    def _revoke_before(self, name: str, before: float | None) -> None:
        at = now(self._clock)
        moment = at if before is None else before
        self._write(name, at, max(at, moment) + LONGEST, before=milliseconds(moment))

    def _write(self, name: str, at: float, end: float, *, before: int | None) -> bool:
        """Write an entry, or extend the one that is there. Return whether there was none in force."""
        entry = self._table.all().filter(name=name)
        changes: dict[str, Any] = {} if before is None else {"before": Greatest("before", before)}
        for _ in range(TRIES):
            if self._table.insert(name=name, before=before, expires_at=end):
                return True
            # Each is one statement, so that only one of several parallel calls finds an expired entry.
            if entry.filter(expires_at__lte=at).update(expires_at=end, **changes):
                return True
            if entry.update(expires_at=Greatest("expires_at", end), **changes):
                return False
        msg = "an entry of the list of revocations can neither be written nor found"
        raise DatabaseError(msg)

    def sweep(self) -> int:
        """See `Revocations.sweep`."""
        return self._table.sweep(now(self._clock))
