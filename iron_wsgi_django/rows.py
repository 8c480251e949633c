"""Rows of one database, under keys of our own: what a store and a list of revocations both do."""

from __future__ import annotations

from typing import Any, Final, final

from django.apps import apps
from django.core.exceptions import SynchronousOnlyOperation
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.asyncio import async_unsafe

from iron_wsgi import IronError

AT_ONCE: Final = 500
"""Rows that a sweep removes by one statement, so that nobody waits long for it."""


class SynchronousUse(IronError, SynchronousOnlyOperation):
    """Asynchronous code used a session that is in a database as if nobody had to wait for it."""


@final
class Rows:
    """The rows of one of this package's models, in the database of one alias."""

    def __init__(self, model: str, alias: str) -> None:
        """Name the *model* and the *alias* of ``DATABASES``. Nothing is looked up before it is used."""
        self._model = model
        self._alias = alias

    @property
    def is_in_transaction(self) -> bool:
        """Whether what is written now may be rolled back later."""
        return bool(transaction.get_connection(self._alias).in_atomic_block)

    def all(self) -> Any:
        """Return the query of all rows.

        Raises:
            SynchronousUse: An event loop runs in this thread, and would be held up.
        """
        try:
            _wait()
        except SynchronousOnlyOperation:
            msg = "the session is in a database: await its asynchronous methods, as in session.aget('user')"
            raise SynchronousUse(msg) from None
        # By its name: models can be imported only after the settings, which may make stores.
        return apps.get_model("iron_wsgi_django", self._model).objects.using(self._alias)

    def living(self, at: float) -> Any:
        """Return the query of the rows that have not expired at the time *at*."""
        return self.all().filter(Q(expires_at=None) | Q(expires_at__gt=at))

    def insert(self, **values: Any) -> bool:
        """Write a new row. Return False, and write nothing, if there is one of its key.

        A transaction that goes on around it is not harmed.
        """
        rows = self.all()
        savepoint: Any = transaction.atomic(using=self._alias)
        try:
            with savepoint:
                rows.bulk_create([rows.model(**values)])  # one statement, and no signals
        except IntegrityError:
            return False
        return True

    def sweep(self, at: float) -> int:
        """Remove the rows that have expired at the time *at*, and return how many there were."""
        rows, count = self.all().filter(expires_at__lte=at), 0
        while some := list(rows.values_list("pk", flat=True)[:AT_ONCE]):
            count += rows.filter(pk__in=some).delete()[0]
        return count


@async_unsafe
def _wait() -> None:
    """Stand for what waits: Django refuses that while an event loop runs, unless told otherwise."""
