"""Databases for the tests of this process, whose settings can be made only once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import call_command
from django.db import ConnectionHandler, connections

from iron_wsgi.revocation import Revocations
from iron_wsgi.stores import Record, Store, StoredSession

SQLITE = "django.db.backends.sqlite3"


@contextmanager
def database(alias: str, **settings: Any) -> Iterator[None]:
    """Have a database under *alias*, with this package's tables."""
    handler = ConnectionHandler({"default": {}, alias: settings})
    connections.settings[alias] = handler.settings[alias]
    try:
        call_command("migrate", "iron_wsgi_django", database=alias, verbosity=0)
        yield
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.settings[alias]


def empty(alias: str) -> None:
    """Remove what former tests wrote."""
    from iron_wsgi_django.models import Revocation, SessionRecord  # noqa: PLC0415 - needs the settings

    SessionRecord.objects.using(alias).all().delete()
    Revocation.objects.using(alias).exclude(name="since").delete()


@contextmanager
def _thread(alias: str) -> Iterator[None]:
    """Close a thread's own connection, as Django does at the end of a request; nobody else would."""
    try:
        yield
    finally:
        if threading.current_thread() is not threading.main_thread():
            connections[alias].close()


class ThreadedStore(Store):
    """A store that is used by threads of which Django knows nothing."""

    def __init__(self, store: Store, alias: str) -> None:
        self._store = store
        self._alias = alias

    def create(self, key: str, record: Record) -> bool:
        with _thread(self._alias):
            return self._store.create(key, record)

    def load(self, key: str) -> Record | None:
        with _thread(self._alias):
            return self._store.load(key)

    def save(self, key: str, record: Record, *, version: int) -> bool:
        with _thread(self._alias):
            return self._store.save(key, record, version=version)

    def touch(self, key: str, *, expires_at: float | None) -> bool:
        with _thread(self._alias):
            return self._store.touch(key, expires_at=expires_at)

    def delete(self, key: str) -> bool:
        with _thread(self._alias):
            return self._store.delete(key)

    def list_subject(self, subject: str) -> list[StoredSession]:
        with _thread(self._alias):
            return list(self._store.list_subject(subject))

    def sweep(self) -> int:
        with _thread(self._alias):
            return self._store.sweep()


class ThreadedRevocations(Revocations):
    """A list that is used by threads of which Django knows nothing."""

    def __init__(self, revocations: Revocations, alias: str) -> None:
        self._revocations = revocations
        self._alias = alias

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        with _thread(self._alias):
            return self._revocations.is_revoked(sid, subject, issued_at)

    def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
        with _thread(self._alias):
            return self._revocations.revoke(sid, expires_at=expires_at)

    def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
        with _thread(self._alias):
            self._revocations.revoke_subject(subject, before=before)

    def revoke_all(self, *, before: float | None = None) -> None:
        with _thread(self._alias):
            self._revocations.revoke_all(before=before)

    def sweep(self) -> int:
        with _thread(self._alias):
            return self._revocations.sweep()
