"""The store in memory, beyond the contract; and what every store has from `Store`."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.stores import MemoryStore, Record, StoredSession
from iron_wsgi.testing import FakeClock

A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def record(clock: FakeClock) -> Record:
    return Record(value="seal", version=1, created_at=clock(), written_at=clock(), expires_at=clock() + 60)


def test_a_store_that_is_full_forgets_what_was_not_written_for_longest(
    clock: FakeClock, record: Record
) -> None:
    store = MemoryStore(max_records=2, clock=clock)
    store.create(A, record)
    store.create(B, record)
    store.save(A, replace(record, version=2), version=1)
    store.load(B)
    store.create(C, record)
    assert [key for key in (A, B, C) if store.load(key)] == [A, C]
    store.touch(A, expires_at=None)
    store.create(B, record)
    assert [key for key in (A, B, C) if store.load(key)] == [A, B]
    assert len(store) == 2


def test_by_default_there_is_room_for_ten_thousand(record: Record, clock: FakeClock) -> None:
    store = MemoryStore(clock=clock)
    for number in range(10_001):
        store.create(f"{number:064}", record)
    assert len(store) == 10_000


def test_unknown_keys_take_no_room(record: Record, clock: FakeClock) -> None:
    store = MemoryStore(clock=clock)
    for number in range(10_000):
        key = f"{number:064}"
        store.load(key)
        store.delete(key)
        store.touch(key, expires_at=None)
        store.save(key, record, version=1)
    assert len(store) == 0


def test_sweep_says_how_much_has_expired_and_frees_its_room(clock: FakeClock, record: Record) -> None:
    store = MemoryStore(clock=clock)
    store.create(A, record)
    store.create(B, replace(record, expires_at=None))
    clock.advance(60)
    assert len(store) == 2
    assert store.sweep() == 1
    assert len(store) == 1


def test_without_a_clock_the_store_asks_the_machines(record: Record) -> None:
    store = MemoryStore()
    store.create(A, replace(record, expires_at=1.0))
    store.create(B, replace(record, expires_at=None))
    assert (store.load(A), store.load(B)) == (None, replace(record, expires_at=None))


def test_a_record_cannot_be_changed_and_its_value_is_in_no_repr(record: Record) -> None:
    secret = replace(record, value="Fe26.2*secret")
    assert "secret" not in repr(secret)
    with pytest.raises(FrozenInstanceError):
        secret.version = 2  # type: ignore[misc]


def test_a_listed_session_tells_nothing_of_the_record(clock: FakeClock, record: Record) -> None:
    store = MemoryStore(clock=clock)
    store.create(key_of("sid"), replace(record, subject=subject_key_of("anna")))
    (session,) = store.sessions_of("anna", current="sid")
    assert session == StoredSession(
        key=key_of("sid"),
        created_at=record.created_at,
        written_at=record.written_at,
        expires_at=record.expires_at,
        is_current=True,
    )
    assert "sid" not in {session.key, *map(str, vars_of(session))}


def vars_of(session: StoredSession) -> list[Any]:
    return [getattr(session, name) for name in session.__slots__]
