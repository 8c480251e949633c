"""The store and the list of revocations in Django's databases: transactions, queries, and losses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connections, transaction
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.test.utils import CaptureQueriesContext, override_settings

from iron_wsgi import Refused
from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.stores import Record
from iron_wsgi.testing import FakeClock
from iron_wsgi.times import milliseconds
from iron_wsgi_django.apps import _begin_list
from iron_wsgi_django.databases import table
from iron_wsgi_django.databases.revocations import DatabaseRevocations
from iron_wsgi_django.databases.store import DatabaseStore

from . import django_project
from .django_databases import SQLITE, database, empty

django_project.set_up()

from iron_wsgi_django.models import Revocation, SessionRecord  # noqa: E402 - a model needs the settings

ALIAS: Final = "unit_sqlite"
A, B, ANNA = key_of("A"), key_of("B"), subject_key_of("anna")
ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def _database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with database(ALIAS, ENGINE=SQLITE, NAME=str(tmp_path_factory.mktemp("sqlite") / "sessions.db")):
        yield


@pytest.fixture(autouse=True)
def _empty(_database: None) -> None:
    empty(ALIAS)
    Revocation.objects.using(ALIAS).update_or_create(name="since", defaults={"before": 0})


@pytest.fixture
def store(clock: FakeClock) -> DatabaseStore:
    return DatabaseStore(ALIAS, clock=clock)


@pytest.fixture
def revocations(clock: FakeClock) -> DatabaseRevocations:
    return DatabaseRevocations(ALIAS, clock=clock)


@pytest.fixture
def record(clock: FakeClock) -> Record:
    return Record(
        value="Fe26.2*1*value",
        version=1,
        subject=ANNA,
        created_at=clock(),
        written_at=clock(),
        expires_at=clock() + 3600,
    )


def asked(use: Callable[[], Any]) -> list[str]:
    """What the database is asked, but for the bounds of transactions."""
    with CaptureQueriesContext(connections[ALIAS]) as queries:
        use()
    bounds = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")
    return [query["sql"] for query in queries.captured_queries if not query["sql"].startswith(bounds)]


# Transactions.


def test_a_creation_that_fails_does_not_break_the_transaction_around_it(
    store: DatabaseStore, record: Record
) -> None:
    with transaction.atomic(using=ALIAS):
        assert store.create(A, record)
        assert not store.create(A, replace(record, value="other"))
        assert store.create(B, record)
    assert store.load(A) == store.load(B) == record


def test_a_revocation_that_is_no_news_does_not_break_the_transaction_around_it(
    revocations: DatabaseRevocations, clock: FakeClock
) -> None:
    with transaction.atomic(using=ALIAS):
        assert revocations.revoke("one")
        assert not revocations.revoke("one")
        revocations.revoke_subject("anna")
        revocations.revoke_subject("anna")
    assert revocations.is_revoked("one", None, clock())
    assert revocations.is_revoked("two", "anna", clock() - 1)


def test_what_is_written_is_part_of_the_transaction_around_it(
    store: DatabaseStore, revocations: DatabaseRevocations, record: Record, clock: FakeClock
) -> None:
    def roll_back() -> None:
        with transaction.atomic(using=ALIAS):
            store.create(A, record)
            revocations.revoke("one")
            raise KeyError

    with pytest.raises(KeyError):
        roll_back()
    assert store.load(A) is None
    assert not revocations.is_revoked("one", None, clock())


# Queries.


def test_each_question_is_one_query(
    store: DatabaseStore, revocations: DatabaseRevocations, record: Record, clock: FakeClock
) -> None:
    following = replace(record, version=2)
    for use in (
        partial(store.create, A, record),
        partial(store.load, A),
        partial(store.save, A, following, version=1),
        partial(store.touch, A, expires_at=None),
        partial(store.list_subject, ANNA),
        partial(store.delete, A),
        partial(revocations.revoke, "one"),
        partial(revocations.is_revoked, "one", "anna", clock()),
        partial(revocations.is_revoked, "two", "anna", clock()),
        partial(revocations.revoke_subject, "anna"),
        partial(revocations.revoke_all),
    ):
        assert len(asked(use)) == 1, use


def test_lookups_use_an_index(
    store: DatabaseStore, revocations: DatabaseRevocations, clock: FakeClock
) -> None:
    questions: list[Callable[[], Any]] = [
        partial(store.load, A),
        partial(store.list_subject, ANNA),
        partial(revocations.is_revoked, "one", "anna", clock()),
        store.sweep,
        revocations.sweep,
    ]
    for use in questions:
        for query in asked(use):
            with connections[ALIAS].cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {query}".replace("%", "%%"))
                plan = " ".join(str(row) for row in cursor.fetchall())
            assert "USING INDEX" in plan or "USING COVERING INDEX" in plan, (query, plan)
            assert "SCAN" not in plan, (query, plan)


def test_a_sweep_removes_a_few_rows_at_a_time_and_counts_them_all(
    store: DatabaseStore, record: Record, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "SWEEP_SIZE", 2)
    for number in range(5):
        store.create(key_of(f"{number}"), record)
    store.create(A, replace(record, expires_at=None))
    clock.advance(3600)
    removed: list[int] = []
    deletions = [one for one in asked(lambda: removed.append(store.sweep())) if one.startswith("DELETE")]
    assert removed == [5]
    assert len(deletions) == 3
    assert store.load(A) is not None


def test_nothing_is_told_to_those_who_listen_to_all_models(
    store: DatabaseStore, revocations: DatabaseRevocations, record: Record
) -> None:
    # An application that logs every change would write down values and hashes.
    heard: list[Any] = []

    def hear(**told: Any) -> None:
        heard.append(told)

    pre_save.connect(hear)
    post_save.connect(hear)
    try:
        store.create(A, record)
        store.save(A, replace(record, version=2), version=1)
        revocations.revoke("one")
    finally:
        pre_save.disconnect(hear)
        post_save.disconnect(hear)
    assert heard == []


def test_a_deletion_is_one_for_those_who_listen_to_deletions_too(
    store: DatabaseStore, record: Record
) -> None:
    def hear(**_told: Any) -> None:
        pass

    pre_delete.connect(hear)
    post_delete.connect(hear)
    try:
        store.create(A, record)
        assert [store.delete(A), store.delete(A)] == [True, False]
    finally:
        pre_delete.disconnect(hear)
        post_delete.disconnect(hear)


def test_what_cannot_be_asked_raises_the_databases_own_error(clock: FakeClock, record: Record) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("ALTER TABLE iron_wsgi_django_sessionrecord RENAME TO gone_records")
        cursor.execute("ALTER TABLE iron_wsgi_django_revocation RENAME TO gone_revocations")
    store, revocations = DatabaseStore(ALIAS, clock=clock), DatabaseRevocations(ALIAS, clock=clock)
    try:
        for use in (
            partial(store.create, A, record),
            partial(store.load, A),
            partial(store.save, A, record, version=1),
            partial(store.delete, A),
            partial(revocations.is_revoked, "one", None, clock()),
            partial(revocations.revoke, "one"),
        ):
            with pytest.raises(OperationalError):
                use()
    finally:
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("ALTER TABLE gone_records RENAME TO iron_wsgi_django_sessionrecord")
            cursor.execute("ALTER TABLE gone_revocations RENAME TO iron_wsgi_django_revocation")


# A list that has lost what it knew.


def test_a_list_that_was_emptied_refuses_what_began_before_and_accepts_what_begins_later(
    revocations: DatabaseRevocations, clock: FakeClock
) -> None:
    revocations.revoke("one")
    began = clock()
    Revocation.objects.using(ALIAS).all().delete()
    clock.advance(60)
    for sid in ("one", "two"):
        with pytest.raises(Refused) as refused:
            revocations.is_revoked(sid, "anna", began)
        assert refused.value.reason == "lost"
    assert not revocations.is_revoked("three", "anna", clock())
    clock.advance(3600)
    with pytest.raises(Refused):
        revocations.is_revoked("two", None, began)
    assert not revocations.is_revoked("three", "anna", clock() - 3600)


def test_a_revocation_counts_in_a_list_that_was_emptied(
    revocations: DatabaseRevocations, clock: FakeClock
) -> None:
    Revocation.objects.using(ALIAS).all().delete()
    revocations.revoke("one")
    assert revocations.is_revoked("one", None, clock())


def test_the_entry_that_makes_a_list_complete_is_never_swept(
    revocations: DatabaseRevocations, clock: FakeClock
) -> None:
    clock.advance(2_000_000_000)
    revocations.sweep()
    assert Revocation.objects.using(ALIAS).get(name="since").expires_at is None


def test_after_the_migration_the_sessions_that_there_were_live_on(tmp_path: Path) -> None:
    with database("fresh", ENGINE=SQLITE, NAME=str(tmp_path / "fresh.db")):
        assert not DatabaseRevocations("fresh").is_revoked("sid", None, 1.0)


def test_after_a_flush_as_between_tests_sessions_that_begin_are_accepted(tmp_path: Path) -> None:
    with database("flushed", ENGINE=SQLITE, NAME=str(tmp_path / "flushed.db")):
        revocations = DatabaseRevocations("flushed")
        call_command("migrate", database="flushed", verbosity=0)
        call_command("flush", database="flushed", interactive=False, verbosity=0)
        since = Revocation.objects.using("flushed").get(name="since").before
        assert not revocations.is_revoked("sid", None, since / 1000)
        with pytest.raises(Refused):
            revocations.is_revoked("sid", None, since / 1000 - 1)


def test_a_router_says_in_which_databases_the_list_is() -> None:
    class Elsewhere:
        def allow_migrate(self, db: str, app_label: str, **_hints: object) -> bool | None:
            return app_label != "iron_wsgi_django" if db == ALIAS else None

    Revocation.objects.using(ALIAS).all().delete()
    with override_settings(DATABASE_ROUTERS=[Elsewhere()]):
        _begin_list(using=ALIAS)
    assert not Revocation.objects.using(ALIAS).exists()
    _begin_list(using=ALIAS)
    assert Revocation.objects.using(ALIAS).exists()


def test_the_tables_can_be_removed(tmp_path: Path) -> None:
    with database("removed", ENGINE=SQLITE, NAME=str(tmp_path / "removed.db")):
        call_command("migrate", "iron_wsgi_django", "zero", database="removed", verbosity=0)
        assert "iron_wsgi_django_revocation" not in connections["removed"].introspection.table_names()


def test_an_entry_that_can_neither_be_written_nor_found_is_an_error_and_no_silence(
    revocations: DatabaseRevocations, clock: FakeClock
) -> None:
    # So it is in a transaction that does not see what others have written since it began.
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON iron_wsgi_django_revocation "
            "BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed'); END"
        )
    try:
        with pytest.raises(DatabaseError, match="neither be written nor found"):
            revocations.revoke("one", expires_at=clock() + 60)
    finally:
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("DROP TRIGGER refuse")


# What the tables hold.


def test_the_tables_hold_no_id_and_no_subject(
    store: DatabaseStore, revocations: DatabaseRevocations, record: Record
) -> None:
    store.create(key_of("the id"), record)
    revocations.revoke("the id")
    revocations.revoke_subject("anna")
    held = [*SessionRecord.objects.using(ALIAS).values_list(), *Revocation.objects.using(ALIAS).values_list()]
    text = repr(held) + "".join(map(str, SessionRecord.objects.using(ALIAS)))
    assert "the id" not in text
    assert "anna" not in text


def test_moments_are_whole_milliseconds(revocations: DatabaseRevocations, clock: FakeClock) -> None:
    revocations.revoke_subject("anna", before=clock() + 0.0004)
    entry = Revocation.objects.using(ALIAS).get(name=ANNA)
    assert entry.before == milliseconds(clock())
    assert str(entry) == ANNA[:8]


def test_a_moment_to_come_is_kept_as_long_as_sessions_that_it_ends(
    revocations: DatabaseRevocations, clock: FakeClock
) -> None:
    began = clock() + 5_000_000
    revocations.revoke_all(before=began + 1)
    clock.advance(5_000_000 + 34_560_000)  # the longest that the session can live
    assert revocations.is_revoked("sid", None, began)


def test_both_can_be_made_in_a_settings_module_before_there_are_settings() -> None:
    program = (
        "from iron_wsgi_django.databases.store import DatabaseStore; "
        "from iron_wsgi_django.databases.revocations import DatabaseRevocations; "
        "DatabaseStore(); DatabaseRevocations()"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_the_migration_is_all_that_the_models_need() -> None:
    call_command("makemigrations", "iron_wsgi_django", check=True, dry_run=True, verbosity=0)
