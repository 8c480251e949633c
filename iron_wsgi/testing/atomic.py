"""What a store promises to parallel writers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Final

from iron_wsgi.servers.ids import key_of
from iron_wsgi.stores import Store

from .clock import FakeClock
from .promise import at_once, same
from .records import ANNA, A, B, holds, new
from .stores import StoreContract

ROUNDS: Final = 10
THREADS: Final = 8
WRITERS: Final = 4
STEPS: Final = 25
TRIES: Final = 1000
"""So that a store which keeps nothing fails the test, rather than hang it."""


class AtomicStoreContract(StoreContract):
    """What an atomic store promises, to parallel writers too. Inherit from it as from `StoreContract`.

    Where a second client of the same place can be made, `other` returns one: writers then come through both.
    """

    def other(self, clock: FakeClock) -> Store | None:
        """Return another client of the place that `store` has returned last; None if there can be none."""
        del clock
        return None

    def _pair(self) -> tuple[Store, Store, FakeClock]:
        store, clock = self._open()
        return store, self.other(clock) or store, clock

    def test_the_store_says_that_it_is_atomic(self) -> None:
        """The vault believes it."""
        same(self._open()[0].atomic, True, "Store.atomic")

    def test_two_clients_of_one_place_see_each_others_writing_at_once(self) -> None:
        """Creation, save, touch and deletion."""
        store, other, clock = self._pair()
        record = new(clock, subject=ANNA)
        store.create(A, record)
        holds(other, A, record)
        same(other.create(A, record), False, "create() of what the other client has created")
        following = replace(record, value="following", version=2, expires_at=None)
        same(other.save(A, following, version=1), True, "save() over what the other client has created")
        holds(store, A, following)
        same(store.save(A, record, version=1), False, "save() over what the other client has replaced")
        store.touch(A, expires_at=record.expires_at)
        holds(other, A, replace(following, expires_at=record.expires_at))
        same([one.key for one in other.list_subject(ANNA)], [A], "the other client's list")
        same(other.delete(A), True, "delete() of what the other client has created")
        holds(store, A, None)
        same(list(store.list_subject(ANNA)), [], "the list after the other client's delete()")

    def test_of_parallel_creations_of_one_key_one_alone_succeeds(self) -> None:
        """And it is that one's record which is there."""
        store, other, clock = self._pair()
        for number in range(ROUNDS):
            key = key_of(f"round {number}")
            records = [new(clock, value=f"{thread}", version=thread) for thread in range(THREADS)]
            calls = [partial((store, other)[one.version % 2].create, key, one) for one in records]
            kept = [one for one, keep_cookie in zip(records, at_once(*calls), strict=True) if keep_cookie]
            same(len(kept), 1, "creations that succeeded")
            holds(store, key, kept[0])

    def test_of_parallel_saves_over_one_version_one_alone_succeeds(self) -> None:
        """The others learn that they came too late."""
        store, other, clock = self._pair()
        present = new(clock)
        store.create(A, present)
        for number in range(ROUNDS):
            following = [
                replace(present, value=f"{thread}", version=2 + number * THREADS + thread)
                for thread in range(THREADS)
            ]
            calls = [
                partial((store, other)[one.version % 2].save, A, one, version=present.version)
                for one in following
            ]
            kept = [one for one, keep_cookie in zip(following, at_once(*calls), strict=True) if keep_cookie]
            same(len(kept), 1, "saves that succeeded")
            present = kept[0]
            holds(store, A, present)

    def test_parallel_writers_that_compare_and_retry_lose_nothing(self) -> None:
        """While others touch the same record."""
        store, other, clock = self._pair()
        first = new(clock, value="0", subject=ANNA)
        store.create(A, first)

        def count(client: Store) -> bool:
            done = 0
            for _ in range(TRIES):
                done += _advance(client)
                if done == STEPS:
                    return True
            return False

        def touch(client: Store) -> bool:
            return all(client.touch(A, expires_at=first.expires_at) for _ in range(STEPS))

        calls: list[Callable[[], bool]] = [
            partial(count, (store, other)[number % 2]) for number in range(WRITERS)
        ]
        same(at_once(*calls, partial(touch, other)), [True] * (WRITERS + 1), "whether each came through")
        total = WRITERS * STEPS
        holds(store, A, replace(first, value=f"{total}", version=first.version + total))

    def test_nothing_is_left_by_writers_that_race_with_a_deletion(self) -> None:
        """Neither by those that save nor by those that touch."""
        store, other, clock = self._pair()

        later = clock() + 9000
        for number in range(ROUNDS):
            store.create(A, new(clock, value="0", subject=ANNA))
            is_over = Event()
            calls = (
                partial(_until, is_over, partial(_advance, store)),
                partial(_until, is_over, partial(_advance, other)),
                partial(_until, is_over, partial(store.touch, A, expires_at=later)),
                partial(_end, other, is_over, after=number / 1000),
            )
            same(at_once(*calls)[-1], True, "delete() of what is there")
            holds(store, A, None)
            same(list(store.list_subject(ANNA)), [], "sessions of the subject")

    def test_sessions_created_in_parallel_are_all_listed(self) -> None:
        """And of those deleted in parallel none."""
        store, other, clock = self._pair()
        record = new(clock, subject=ANNA)
        keys = [key_of(f"{number}") for number in range(THREADS)]
        at_once(*(partial((store, other)[number % 2].create, key, record) for number, key in enumerate(keys)))
        same({one.key for one in store.list_subject(ANNA)}, set(keys), "the sessions of the subject")
        at_once(*(partial((store, other)[number % 2].delete, key) for number, key in enumerate(keys)))
        same(list(store.list_subject(ANNA)), [], "the sessions of the subject")
        store.create(B, record)
        same([one.key for one in other.list_subject(ANNA)], [B], "the subject's next session")


def _advance(store: Store) -> bool:
    """Count one further in the record's value; False if somebody else was faster, or it is gone."""
    present = store.load(A)
    if present is None:
        return False
    following = replace(present, value=f"{int(present.value) + 1}", version=present.version + 1)
    return store.save(A, following, version=present.version)


def _until(is_over: Event, write: Callable[[], bool]) -> bool:
    while not is_over.is_set():
        write()
    return write()


def _end(store: Store, is_over: Event, *, after: float) -> bool:
    """Delete the record after so many seconds, when the writers are under way."""
    try:
        time.sleep(after)
        return store.delete(A)
    finally:
        is_over.set()
