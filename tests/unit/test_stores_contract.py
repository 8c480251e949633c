"""Whatever promise a store breaks, the contract notices. That good stores pass it: see tests/contract."""

from __future__ import annotations

import time
import unittest
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from threading import RLock
from typing import Any, Final

import pytest

from iron_wsgi.stores import MemoryStore, Record, Store, StoredSession
from iron_wsgi.testing import AtomicStoreContract, FakeClock, StoreContract

MONTH: Final = 30 * 86_400


class FaultyStore(Store):
    """A dict and a list for each subject, and one broken promise if `fault` names one."""

    def __init__(self, clock: FakeClock, fault: str) -> None:
        self.clock = clock
        self.fault = fault
        self.records: dict[Any, Record] = {}
        self.lists: dict[str, list[str]] = {}
        self.versions: dict[str, set[int]] = {}
        self.lock = RLock()
        self.atomic = fault != "says that it is not atomic"

    def has(self, fault: str) -> bool:
        return self.fault == fault

    def alone(self, fault: str) -> AbstractContextManager[Any]:
        return nullcontext() if self.has(fault) else self.lock

    def pause(self, fault: str) -> None:
        if self.has(fault):
            time.sleep(0.001)

    def name(self, key: str) -> object:
        names = {"cuts keys off": key[:60], "takes keys for numbers": float(key) if key.isdigit() else key}
        return names.get(self.fault, key)

    def is_over(self, record: Record) -> bool:
        end = record.expires_at
        if self.has("keeps nothing for longer than a month"):
            end = min(record.written_at + MONTH, end or record.written_at + MONTH)
        if self.has("takes no expiry for a short one"):
            end = end or record.written_at + 600
        return end is not None and (
            end < self.clock() if self.has("is late by a moment") else end <= self.clock()
        )

    def find(self, key: str, fault: str) -> Record | None:
        record = self.records.get(self.name(key))
        return None if record is None or (self.is_over(record) and not self.has(fault)) else record

    def keep(self, key: str, record: Record) -> None:
        faulty = {
            "loses the value": replace(record, value=record.value.strip("~")),
            "keeps 64 kilobytes": replace(record, value=record.value[:65_536]),
            "loses the version": replace(record, version=1),
            "keeps versions as floats of 32 bits": replace(record, version=record.version // 2**24 * 2**24),
            "loses the subject": replace(record, subject=""),
            "loses the moment of creation": replace(record, created_at=record.written_at),
            "loses the moment of writing": replace(record, written_at=self.clock() + 1),
            "loses the expiry": replace(record, expires_at=None),
            "keeps whole seconds": replace(record, created_at=int(record.created_at)),
        }
        if self.has("refuses what has expired") and self.is_over(record):
            raise ValueError
        self.records[self.name(key)] = faulty.get(self.fault, record)

    def enlist(self, subject: str, key: str) -> None:
        with self.alone("loses sessions from the list"):
            keys = list(self.lists.get(subject, ()))
            self.pause("loses sessions from the list")
            self.lists[subject] = [*keys, key]

    def create(self, key: str, record: Record) -> bool:
        with self.alone("creates without a lock"):
            if self.find(key, "has no room where something has expired") and not self.has("overwrites"):
                return False
            self.pause("creates without a lock")
            self.keep(key, record)
            self.versions.setdefault(key, set()).add(record.version)
        self.enlist(record.subject, key)
        return True

    def load(self, key: str) -> Record | None:
        return self.find(key, "finds what has expired")

    def save(self, key: str, record: Record, *, version: int) -> bool:
        with self.alone("saves without a lock"):
            present = self.find(key, "saves over what has expired")
            if present is None and self.has("saves what was deleted"):
                present = replace(record, version=version)
            if present is None:
                return False
            is_same = present.version == version
            if self.has("saves over any version"):
                is_same = True
            if self.has("saves over a version of the past"):
                is_same = version in self.versions[key]
            if self.has("saves higher versions only"):
                is_same = is_same and record.version > version
            if not is_same or self.has("saves nothing"):
                return False
            self.pause("saves without a lock")
            if self.has("saves the value alone"):
                record = replace(present, value=record.value, version=record.version)
            self.keep(key, record)
        if not self.has("lists under the first subject"):
            self.enlist(record.subject, key)
        return True

    def touch(self, key: str, *, expires_at: float | None) -> bool:
        with self.alone("touches without a lock"):
            present = self.find(key, "touches what has expired")
            if present is None:
                return self.has("touches what is not there")
            if self.has("touches the version"):
                present = replace(present, version=present.version + 1)
            if self.has("touches for a time only") and expires_at is None:
                return True
            self.pause("touches without a lock")
            self.keep(key, replace(present, expires_at=expires_at))
            return True

    def delete(self, key: str) -> bool:
        with self.lock:
            present = self.find(key, "deletes what has expired")
            if self.has("deletes nothing"):
                return present is not None
            if self.has("deletes everything"):
                self.records.clear()
            self.records.pop(self.name(key), None)
            return present is not None or self.has("always says that it deleted")

    def list_subject(self, subject: str) -> Iterable[StoredSession]:
        for key in dict.fromkeys(self.lists.get(subject, ())):
            record = self.find(key, "lists what has expired")
            if record is None or (record.subject != subject and not self.has("lists whom it named before")):
                continue
            expires_at = record.created_at if self.has("lists wrong times") else record.expires_at
            yield StoredSession(
                key=key,
                created_at=record.created_at,
                written_at=record.written_at,
                expires_at=expires_at,
            )

    def sweep(self) -> int:
        over = [key for key, record in self.records.items() if self.is_over(record)]
        for key in list(self.records) if self.has("sweeps everything") else over:
            del self.records[key]
        return len(self.records) if self.has("counts what it leaves") else len(over)


class Contract(AtomicStoreContract):
    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def store(self, clock: FakeClock) -> Store:
        self.opened = FaultyStore(clock, self.fault)
        return self.opened

    def other(self, clock: FakeClock) -> Store:
        return FaultyStore(clock, "") if self.fault == "is another place for each client" else self.opened


PROMISES: Final = sorted(name for name in dir(AtomicStoreContract) if name.startswith("test_"))

CREATED: Final = "test_what_is_created_is_loaded_as_it_was_given"
SAVED: Final = "test_save_replaces_every_field_of_that_record_alone"
EXPIRED: Final = "test_a_record_lives_until_its_expiry_and_then_is_gone_for_every_method"
LONG: Final = "test_a_record_may_live_for_400_days_or_for_ever"
LISTED: Final = "test_the_living_sessions_of_a_subject_are_listed_with_their_times"
SWEPT: Final = "test_sweep_removes_what_has_expired_and_nothing_else"
DELETED: Final = "test_delete_removes_one_record_and_says_whether_it_was_there"

FAULTS: Final = {
    "loses the value": {"test_values_may_have_1_octet_to_1_mebibyte"},
    "keeps 64 kilobytes": {"test_values_may_have_1_octet_to_1_mebibyte"},
    "loses the version": {CREATED, SAVED},
    "keeps versions as floats of 32 bits": {"test_save_over_another_version_changes_nothing"},
    "loses the subject": {CREATED, LISTED},
    "loses the moment of creation": {SAVED},
    "loses the moment of writing": {CREATED, SAVED},
    "loses the expiry": {CREATED, SAVED, EXPIRED},
    "keeps whole seconds": {"test_times_are_kept_to_the_millisecond"},
    "refuses what has expired": {"test_what_has_expired_before_it_comes_is_never_seen"},
    "cuts keys off": {"test_any_two_keys_differ"},
    "takes keys for numbers": {"test_any_two_keys_differ"},
    "keeps nothing for longer than a month": {LONG},
    "takes no expiry for a short one": {LONG, "test_touch_and_save_put_off_the_end_or_bring_it_on"},
    "is late by a moment": {EXPIRED},
    "overwrites": {"test_create_never_overwrites"},
    "has no room where something has expired": {EXPIRED},
    "finds what has expired": {EXPIRED, "test_what_has_expired_before_it_comes_is_never_seen"},
    "saves over what has expired": {EXPIRED},
    "touches what has expired": {EXPIRED},
    "deletes what has expired": {EXPIRED},
    "lists what has expired": {EXPIRED},
    "saves what was deleted": {
        "test_save_never_brings_back_what_was_deleted",
        "test_what_is_not_there_is_neither_found_nor_made",
        "test_nothing_is_left_by_writers_that_race_with_a_deletion",
    },
    "saves nothing": {SAVED, "test_parallel_writers_that_compare_and_retry_lose_nothing"},
    "saves over any version": {
        "test_save_over_another_version_changes_nothing",
        "test_of_parallel_saves_over_one_version_one_alone_succeeds",
    },
    "saves over a version of the past": {"test_what_is_created_again_is_not_what_was_deleted"},
    "saves higher versions only": {SAVED},
    "saves the value alone": {SAVED},
    "lists under the first subject": {"test_the_list_follows_every_change"},
    "lists whom it named before": {"test_the_list_follows_every_change"},
    "lists wrong times": {LISTED},
    "touches what is not there": {"test_what_is_not_there_is_neither_found_nor_made"},
    "touches the version": {"test_touch_changes_the_expiry_alone"},
    "touches for a time only": {"test_touch_changes_the_expiry_alone"},
    "deletes nothing": {
        DELETED,
        "test_all_sessions_of_somebody_are_ended_but_the_one_to_keep",
    },
    "deletes everything": {DELETED},
    "always says that it deleted": {DELETED},
    "sweeps everything": {SWEPT},
    "counts what it leaves": {SWEPT},
    "says that it is not atomic": {"test_the_store_says_that_it_is_atomic"},
    "creates without a lock": {"test_of_parallel_creations_of_one_key_one_alone_succeeds"},
    "saves without a lock": {
        "test_of_parallel_saves_over_one_version_one_alone_succeeds",
        "test_parallel_writers_that_compare_and_retry_lose_nothing",
        "test_nothing_is_left_by_writers_that_race_with_a_deletion",
    },
    "touches without a lock": {
        "test_parallel_writers_that_compare_and_retry_lose_nothing",
        "test_nothing_is_left_by_writers_that_race_with_a_deletion",
    },
    "loses sessions from the list": {"test_sessions_created_in_parallel_are_all_listed"},
    "is another place for each client": {
        "test_two_clients_of_one_place_see_each_others_writing_at_once",
    },
}


@pytest.mark.parametrize("promise", PROMISES)
def test_a_store_that_keeps_every_promise_passes_the_contract(promise: str) -> None:
    getattr(Contract(), promise)()


@pytest.mark.parametrize(
    ("fault", "promise"),
    [(fault, promise) for fault, promises in FAULTS.items() for promise in sorted(promises)],
)
def test_the_contract_names_the_promise_that_a_store_breaks(fault: str, promise: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        getattr(Contract(fault), promise)()


def test_every_promise_of_the_contract_can_be_broken() -> None:
    told = {"test_sessions_are_told_latest_first_and_the_current_one_is_marked"}  # Store does it for all
    assert set.union(*FAULTS.values()) == set(PROMISES) - told


def test_a_contract_without_its_method_fails() -> None:
    with pytest.raises(NotImplementedError):
        StoreContract().store(FakeClock())
    assert AtomicStoreContract().other(FakeClock()) is None


class OwnClock(AtomicStoreContract):
    """As for a server that counts time by itself; what expires is waited for."""

    has_own_clock = True

    def store(self, clock: FakeClock) -> Store:
        return MemoryStore(clock=clock)


class Late(OwnClock):
    """As on a machine so busy that a record has expired before it can be looked at."""

    _short = 0


@pytest.mark.parametrize("contract", [OwnClock, Late])
@pytest.mark.parametrize("promise", PROMISES)
def test_a_server_with_a_clock_of_its_own_passes_the_contract(
    contract: type[StoreContract], promise: str
) -> None:
    getattr(contract(), promise)()


def test_a_server_with_a_clock_of_its_own_that_forgets_nothing_is_noticed() -> None:
    class Endless(OwnClock):
        def store(self, clock: FakeClock) -> Store:
            del clock
            return MemoryStore(clock=FakeClock(0))

    for promise in (EXPIRED, SWEPT, "test_touch_and_save_put_off_the_end_or_bring_it_on"):
        with pytest.raises(AssertionError):
            getattr(Endless(), promise)()


def test_unittest_runs_the_contract_too() -> None:
    class Case(AtomicStoreContract, unittest.TestCase):
        def store(self, clock: FakeClock) -> Store:
            return MemoryStore(clock=clock)

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert (result.testsRun, result.failures, result.errors) == (len(PROMISES), [], [])
