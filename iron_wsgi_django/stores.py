"""Sessions in one of the site's own databases: ``IRON_SESSION = {"store": "django-db:default"}``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Final, final

from django.db import DEFAULT_DB_ALIAS

from iron_wsgi.stores import Record, Store, StoredSession
from iron_wsgi.times import Clock, now

from .rows import Rows

LISTED: Final = ("key", "created_at", "written_at", "expires_at")


@final
class DatabaseStore(Store):
    """Keeps sessions by Django's own connection to a database, in the table that ``manage.py migrate`` makes.

    What it writes is part of the transaction that is open on the connection, as everything that a view
    writes: where a view is rolled back, so is what it saved. A session that it ended stays so: our middleware
    sees to that, after the transaction; Django's does not. Name an alias of its own to have sessions stand
    apart.
    """

    def __init__(self, alias: str = DEFAULT_DB_ALIAS, *, clock: Clock | None = None) -> None:
        """Use the database *alias* for reading and writing; *clock* returns epoch seconds.

        Routers are not asked: a replica may lag, and would know a session that was ended a moment ago.
        """
        self._rows = Rows("SessionRecord", alias)
        self._clock = clock

    @property
    def is_in_transaction(self) -> bool:
        """Whether what is written now may be rolled back later."""
        return self._rows.is_in_transaction

    def create(self, key: str, record: Record) -> bool:
        """See `Store.create`."""
        if self._rows.insert(key=key, **asdict(record)):
            return True
        expired = self._rows.all().filter(key=key, expires_at__lte=now(self._clock))
        return bool(expired.update(**asdict(record)))

    def load(self, key: str) -> Record | None:
        """See `Store.load`."""
        found = self._rows.living(now(self._clock)).filter(key=key).values(*Record.__slots__).first()
        return None if found is None else Record(**found)

    def save(self, key: str, record: Record, *, version: int) -> bool:
        """See `Store.save`."""
        present = self._rows.living(now(self._clock)).filter(key=key, version=version)
        return bool(present.update(**asdict(record)))

    def touch(self, key: str, *, expires_at: float | None) -> bool:
        """See `Store.touch`."""
        return bool(self._rows.living(now(self._clock)).filter(key=key).update(expires_at=expires_at))

    def delete(self, key: str) -> bool:
        """See `Store.delete`."""
        return bool(self._rows.living(now(self._clock)).filter(key=key).delete()[0])

    def list_subject(self, subject: str) -> Iterable[StoredSession]:
        """See `Store.list_subject`."""
        found = self._rows.living(now(self._clock)).filter(subject=subject)
        return [StoredSession(**session) for session in found.values(*LISTED)]

    def sweep(self) -> int:
        """See `Store.sweep`."""
        return self._rows.sweep(now(self._clock))
