"""Memory in front of a store: what is answered from it, for how long, and that nothing is put back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from iron_wsgi.errors import ConfigError
from iron_wsgi.stores import MemoryStore, Record, Store, StoredSession, TieredStore
from iron_wsgi.testing import FakeClock

A, B, C = "a" * 64, "b" * 64, "c" * 64


class Shared(Store):
    """The other store, which notes how often it is read, fails as it is told to, and can be slow."""

    def __init__(self, clock: FakeClock) -> None:
        self.inner = MemoryStore(clock=clock)
        self.clock = clock
        self.reads = 0
        self.failure: Exception | None = None
        self.after: Callable[[], object] = lambda: None  # the work is done, before the answer arrives

    def _answer(self, answer: Any) -> Any:
        after, self.after = self.after, lambda: None
        after()
        if self.failure is not None:
            raise self.failure
        return answer

    def create(self, key: str, record: Record) -> bool:
        return bool(self._answer(self.inner.create(key, record)))

    def load(self, key: str) -> Record | None:
        self.reads += 1
        answer: Record | None = self._answer(self.inner.load(key))
        return answer

    def save(self, key: str, record: Record, *, version: int) -> bool:
        return bool(self._answer(self.inner.save(key, record, version=version)))

    def touch(self, key: str, *, expires_at: float | None) -> bool:
        return bool(self._answer(self.inner.touch(key, expires_at=expires_at)))

    def delete(self, key: str) -> bool:
        return bool(self._answer(self.inner.delete(key)))

    def list_subject(self, subject: str) -> Iterable[StoredSession]:
        return self.inner.list_subject(subject)

    def sweep(self) -> int:
        return self.inner.sweep()


@pytest.fixture
def shared(clock: FakeClock) -> Shared:
    return Shared(clock)


@pytest.fixture
def record(clock: FakeClock) -> Record:
    return Record(value="1", version=1, created_at=clock(), written_at=clock(), expires_at=clock() + 60)


def tiered(shared: Shared, **settings: Any) -> TieredStore:
    return TieredStore(shared, clock=shared.clock, **{"staleness": 5, **settings})


def following(record: Record) -> Record:
    return replace(record, value=f"{record.version + 1}", version=record.version + 1)


@pytest.mark.parametrize("staleness", [5, timedelta(seconds=5)])
def test_what_was_read_a_moment_ago_is_answered_from_memory(
    shared: Shared, clock: FakeClock, record: Record, staleness: float
) -> None:
    store = tiered(shared, staleness=staleness)
    shared.inner.create(A, record)
    assert store.load(A) == record
    shared.inner.delete(A)  # elsewhere
    clock.advance(4.999)
    assert store.load(A) == record
    assert shared.reads == 1
    clock.advance(0.001)
    assert store.load(A) is None
    assert store.load(A) is None
    assert shared.reads == 3  # that there is nothing is not remembered


def test_the_staleness_counts_from_before_the_store_was_asked(
    shared: Shared, clock: FakeClock, record: Record
) -> None:
    store = tiered(shared)
    shared.inner.create(A, record)
    shared.after = lambda: clock.advance(3)
    store.load(A)
    shared.inner.delete(A)
    clock.advance(2)
    assert store.load(A) is None


def test_reading_again_does_not_make_a_copy_last_longer(
    shared: Shared, clock: FakeClock, record: Record
) -> None:
    store = tiered(shared)
    shared.inner.create(A, record)
    for _ in range(6):
        store.load(A)
        clock.advance(1)
    assert shared.reads == 2


def test_a_copy_expires_as_its_record_does(shared: Shared, clock: FakeClock, record: Record) -> None:
    store = tiered(shared, staleness=3600)
    store.create(A, record)
    store.create(B, replace(record, expires_at=None))
    clock.advance(60)
    assert store.load(A) is None
    assert store.load(B) is not None
    assert shared.reads == 1


def test_a_clock_that_is_set_back_does_not_make_a_copy_last_longer(
    shared: Shared, clock: FakeClock, record: Record
) -> None:
    store = tiered(shared)
    store.create(A, record)
    shared.inner.delete(A)
    clock.advance(-3600)
    assert store.load(A) is None


def test_without_staleness_the_store_is_asked_each_time(shared: Shared, record: Record) -> None:
    store = tiered(shared, staleness=0)
    store.create(A, record)
    store.load(A)
    shared.inner.delete(A)
    assert store.load(A) is None


def test_what_is_written_here_is_answered_from_memory(shared: Shared, record: Record) -> None:
    store = tiered(shared)
    assert store.create(A, record)
    assert store.load(A) == record
    assert store.save(A, following(record), version=1)
    assert store.load(A) == following(record)
    assert shared.reads == 0
    assert shared.inner.load(A) == following(record)
    assert store.touch(A, expires_at=None)
    assert store.load(A) == replace(following(record), expires_at=None)
    assert store.delete(A)
    assert store.load(A) is None
    assert shared.inner.load(A) is None


def test_a_save_that_came_too_late_is_followed_by_what_is_there(shared: Shared, record: Record) -> None:
    store = tiered(shared)
    store.create(A, record)
    elsewhere = replace(record, value="elsewhere", version=7)
    shared.inner.save(A, elsewhere, version=1)
    assert store.load(A) == record
    assert not store.save(A, following(record), version=1)
    assert store.load(A) == elsewhere
    assert not store.create(A, record)
    assert store.load(A) == elsewhere


WRITES: dict[str, Callable[[Store, Record], bool]] = {
    "save": lambda store, record: store.save(A, following(record), version=record.version),
    "touch": lambda store, _: store.touch(A, expires_at=None),
    "delete": lambda store, _: store.delete(A),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_that_failed_may_have_been_done(
    shared: Shared, record: Record, write: Callable[[Store, Record], bool]
) -> None:
    store = tiered(shared)
    store.create(A, record)
    shared.failure = TimeoutError()
    with pytest.raises(TimeoutError):
        write(store, record)
    shared.failure = None
    assert store.load(A) == shared.inner.load(A) != record


def test_a_creation_that_failed_leaves_no_copy(shared: Shared, record: Record) -> None:
    store = tiered(shared)
    shared.failure = TimeoutError()
    with pytest.raises(TimeoutError):
        store.create(A, record)
    shared.failure = None
    shared.inner.delete(A)
    assert store.load(A) is None


def test_an_outage_is_not_hidden_and_leaves_nothing_behind(shared: Shared, record: Record) -> None:
    store = tiered(shared)
    shared.inner.create(A, record)
    shared.failure = ConnectionError()
    for _ in range(2):
        with pytest.raises(ConnectionError):
            store.load(A)
    shared.failure = None
    assert store.load(A) == record
    assert store._tickets == {}


def test_an_outage_does_not_make_a_copy_last_longer(shared: Shared, clock: FakeClock, record: Record) -> None:
    store = tiered(shared)
    store.create(A, record)
    shared.inner.delete(A)
    clock.advance(5)
    shared.failure = ConnectionError()
    with pytest.raises(ConnectionError):
        store.load(A)
    shared.failure = None
    assert store.load(A) is None


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_slow_reader_puts_nothing_back(
    shared: Shared, record: Record, write: Callable[[Store, Record], bool]
) -> None:
    store = tiered(shared)
    shared.inner.create(A, record)
    shared.after = lambda: write(store, record)
    assert store.load(A) == record  # read before, answered after
    assert store.load(A) == shared.inner.load(A) != record
    assert store._tickets == {}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_reader_within_a_write_puts_nothing_back(
    shared: Shared, record: Record, write: Callable[[Store, Record], bool]
) -> None:
    store = tiered(shared)
    shared.inner.create(A, record)
    seen = []

    class Before(Shared):
        """Reads through the tiers while the write is under way, and not yet done."""

        def save(self, key: str, record: Record, *, version: int) -> bool:
            seen.append(store.load(A))
            return super().save(key, record, version=version)

        def touch(self, key: str, *, expires_at: float | None) -> bool:
            seen.append(store.load(A))
            return super().touch(key, expires_at=expires_at)

        def delete(self, key: str) -> bool:
            seen.append(store.load(A))
            return super().delete(key)

    before = Before(shared.clock)
    before.inner = shared.inner
    store = tiered(before)
    assert write(store, record)
    assert seen == [record]
    assert store.load(A) == shared.inner.load(A) != record


@pytest.mark.parametrize("later", WRITES.values(), ids=WRITES)
def test_of_two_writes_that_overlap_neither_leaves_a_copy_that_may_be_wrong(
    shared: Shared, record: Record, later: Callable[[Store, Record], bool]
) -> None:
    store = tiered(shared)
    shared.inner.create(A, record)
    shared.after = lambda: later(store, following(record))
    assert store.save(A, following(record), version=1)
    assert store.load(A) == shared.inner.load(A) != following(record)
    assert store._tickets == {}


def test_two_readers_at_once_leave_a_copy(shared: Shared, record: Record) -> None:
    store = tiered(shared)
    shared.inner.create(A, record)
    shared.after = lambda: store.load(A)
    assert store.load(A) == record
    assert store.load(A) == record
    assert shared.reads == 2


def test_the_memory_is_bounded_and_what_was_not_used_for_longest_goes(shared: Shared, record: Record) -> None:
    store = tiered(shared, max_records=2)
    for key in (A, B):
        store.create(key, record)
    store.load(A)
    store.create(C, record)
    store.load(A)
    store.load(C)
    assert shared.reads == 0
    store.load(B)
    assert shared.reads == 1
    assert len(store._copies) == 2


def test_lists_and_sweeps_are_the_other_stores_own(shared: Shared, clock: FakeClock, record: Record) -> None:
    store = tiered(shared)
    store.create(A, replace(record, subject=B))
    assert [session.key for session in store.list_subject(B)] == [A]
    shared.inner.delete(A)
    assert list(store.list_subject(B)) == []
    shared.inner.create(C, record)
    clock.advance(60)
    assert store.sweep() == 1


def test_it_is_as_atomic_as_the_other_store(shared: Shared) -> None:
    assert tiered(shared).atomic
    shared.atomic = False
    assert not tiered(shared).atomic


def test_the_staleness_is_a_duration(shared: Shared) -> None:
    with pytest.raises(ConfigError, match="staleness"):
        tiered(shared, staleness=-1)


def test_its_memory_is_in_no_repr(shared: Shared, record: Record) -> None:
    store = tiered(shared)
    store.create(A, record)
    assert A not in repr(store)
