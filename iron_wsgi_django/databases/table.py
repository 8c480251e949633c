"""One of this package's tables in one of the site's databases."""

from __future__ import annotations

from typing import Any, Final, final

from django.apps import apps
from django.core.exceptions import SynchronousOnlyOperation
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.asyncio import async_unsafe

from iron_wsgi import IronError

SWEEP_SIZE: Final = 500
"""Rows that a sweep removes with one statement, so that other writers need not wait long."""


class SynchronousUse(IronError, SynchronousOnlyOperation):
    """Asynchronous code used a session in a database by its synchronous methods."""


@final
class Table:
    """The table of one of this package's models, in the database of one alias."""

    def __init__(self, model: str, alias: str) -> None:
        """Hold the name of the *model* and the *alias* in ``DATABASES``; both are looked up at each use."""
        self._model = model
        self._alias = alias

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open, so that what is written now may be rolled back."""
        return bool(transaction.get_connection(self._alias).in_atomic_block)

    def all(self) -> Any:
        """Return the query of all rows.

        Raises:
            SynchronousUse: An event loop runs in this thread, and a query would block it.
        """
        try:
            _block()
        except SynchronousOnlyOperation:
            msg = "the session is in a database: await its asynchronous methods, as in session.aget('user')"
            raise SynchronousUse(msg) from None
        # By its name: models can only be imported after the settings, and settings may make stores.
        return apps.get_model("iron_wsgi_django", self._model).objects.using(self._alias)

    def unexpired(self, at: float) -> Any:
        """Return the query of the rows that have not expired at the time *at* (epoch seconds)."""
        return self.all().filter(Q(expires_at=None) | Q(expires_at__gt=at))

    def insert(self, **values: Any) -> bool:
        """Insert a row, and return True; return False if there is one with its primary key.

        A savepoint protects the transaction that may be open.
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
        """Delete the rows that have expired at the time *at* (epoch seconds), and return their number."""
        rows, count = self.all().filter(expires_at__lte=at), 0
        while keys := list(rows.values_list("pk", flat=True)[:SWEEP_SIZE]):
            count += rows.filter(pk__in=keys).delete()[0]
        return count


@async_unsafe
def _block() -> None:
    """Do nothing. Django refuses the call while an event loop runs, unless a setting allows it."""
