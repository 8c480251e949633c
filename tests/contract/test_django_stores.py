"""Stores and lists in Django's databases keep what every atomic store, and every list, promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import transaction

from iron_wsgi.revocation import Revocations
from iron_wsgi.stores import Record, Store
from iron_wsgi.testing import AtomicStoreContract, FakeClock, RevocationsContract
from iron_wsgi_django.databases.revocations import DatabaseRevocations
from iron_wsgi_django.databases.store import DatabaseStore
from tests.unit import django_project
from tests.unit.django_databases import SQLITE, ThreadedRevocations, ThreadedStore, database, empty

django_project.set_up()

pytest_plugins = ("tests.services.postgresql",)

LITE, POSTGRESQL = "contract_sqlite", "contract_postgresql"
IMMEDIATE: Final = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA synchronous = OFF",
}


@pytest.fixture(scope="module")
def _sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    file: Path = tmp_path_factory.mktemp("sqlite") / "sessions.db"
    with database(LITE, ENGINE=SQLITE, NAME=str(file), OPTIONS=IMMEDIATE):
        yield


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def _postgresql(postgresql: str) -> Iterator[None]:
    at = urlsplit(postgresql)
    settings = {"NAME": at.path[1:], "USER": at.username, "HOST": at.hostname, "PORT": at.port}
    [options] = parse_qs(at.query)["options"]
    with database(
        POSTGRESQL, ENGINE="django.db.backends.postgresql", OPTIONS={"options": options}, **settings
    ):
        yield


@pytest.mark.usefixtures("_sqlite")
class TestDatabaseStoreOnSQLite(AtomicStoreContract):
    def store(self, clock: FakeClock) -> Store:
        empty(LITE)
        return ThreadedStore(DatabaseStore(LITE, clock=clock), LITE)


@pytest.mark.usefixtures("_sqlite")
class TestDatabaseRevocationsOnSQLite(RevocationsContract):
    def revocations(self, clock: FakeClock) -> Revocations:
        empty(LITE)
        return ThreadedRevocations(DatabaseRevocations(LITE, clock=clock), LITE)


@pytest.mark.needs("postgresql")
@pytest.mark.usefixtures("_postgresql")
class TestDatabaseStoreOnPostgreSQL(AtomicStoreContract):
    def store(self, clock: FakeClock) -> Store:
        return ThreadedStore(DatabaseStore(POSTGRESQL, clock=clock), POSTGRESQL)


@pytest.mark.needs("postgresql")
@pytest.mark.usefixtures("_postgresql")
class TestDatabaseRevocationsOnPostgreSQL(RevocationsContract):
    def revocations(self, clock: FakeClock) -> Revocations:
        return ThreadedRevocations(DatabaseRevocations(POSTGRESQL, clock=clock), POSTGRESQL)


@pytest.mark.needs("postgresql")
@pytest.mark.usefixtures("_postgresql")
def test_a_write_that_fails_does_not_break_a_transaction_of_postgresql(clock: FakeClock) -> None:
    # There every statement after one that failed is refused, until the transaction is rolled back.
    store, revocations = DatabaseStore(POSTGRESQL, clock=clock), DatabaseRevocations(POSTGRESQL, clock=clock)
    record = Record(value="value", version=1, created_at=1.5, written_at=1.5, expires_at=None)
    with transaction.atomic(using=POSTGRESQL):
        assert [store.create("a" * 64, record), store.create("a" * 64, record)] == [True, False]
        assert [revocations.revoke("one"), revocations.revoke("one")] == [True, False]
        revocations.revoke_all()
        revocations.revoke_all()
    assert store.load("a" * 64) == record
    assert revocations.is_revoked("one", None, clock() + 1)
