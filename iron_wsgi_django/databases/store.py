"""The store in one of the site's databases: ``IRON_SESSION = {"store": "django-db:default"}``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Final, final

from django.db import DEFAULT_DB_ALIAS

from iron_wsgi.stores import Record, Store, StoredSession
from iron_wsgi.times import Clock, now

from .table import Table

LISTED_COLUMNS: Final = ("key", "created_at", "written_at", "expires_at")


@final
class DatabaseStore(Store):
    """Keeps sessions in the table that ``manage.py migrate`` makes, over Django's own connection.

    What it writes belongs to the transaction that is open on the connection. Where a view is rolled back, so
    is the session that the view saved. A session that the view ended stays ended: our middleware ends it
    again after the transaction; Django's middleware does not. A database alias of its own keeps sessions out
    of the transactions of views.
    """

    def __init__(self, alias: str = DEFAULT_DB_ALIAS, *, clock: Clock | None = None) -> None:
        """Read from and write to the database *alias*; *clock* returns epoch seconds.

        Database routers are not asked: a replica that lags would return a session that has just been ended.
        """
        self._table = Table("SessionRecord", alias)
        self._clock = clock

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open, so that what is written now may be rolled back."""
        return self._table.is_in_transaction

    def create(self, key: str, record: Record) -> bool:
        """See `Store.create`."""
        if self._table.insert(key=key, **asdict(record)):
            return True
        expired = self._table.all().filter(key=key, expires_at__lte=now(self._clock))
        return bool(expired.update(**asdict(record)))

    def load(self, key: str) -> Record | None:
        """See `Store.load`."""
        row = self._table.unexpired(now(self._clock)).filter(key=key).values(*Record.__slots__).first()
        return None if row is None else Record(**row)

    def save(self, key: str, record: Record, *, version: int) -> bool:
        """See `Store.save`."""
        rows = self._table.unexpired(now(self._clock)).filter(key=key, version=version)
        return bool(rows.update(**asdict(record)))

    def touch(self, key: str, *, expires_at: float | None) -> bool:
        """See `Store.touch`."""
        rows = self._table.unexpired(now(self._clock)).filter(key=key)
        return bool(rows.update(expires_at=expires_at))

    def delete(self, key: str) -> bool:
        """See `Store.delete`."""
        return bool(self._table.unexpired(now(self._clock)).filter(key=key).delete()[0])

    def list_subject(self, subject: str) -> Iterable[StoredSession]:
        """See `Store.list_subject`."""
        rows = self._table.unexpired(now(self._clock)).filter(subject=subject)
        return [StoredSession(**row) for row in rows.values(*LISTED_COLUMNS)]

    def sweep(self) -> int:
        """See `Store.sweep`."""
        return self._table.sweep(now(self._clock))
