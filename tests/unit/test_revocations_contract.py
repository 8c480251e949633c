"""Whatever promise a list breaks, the contract notices. That good lists pass it: see tests/contract."""

from __future__ import annotations

import time
from contextlib import nullcontext
from threading import RLock
from typing import Final

import pytest

from iron_wsgi.revocation import LONGEST, MemoryRevocations, Revocations
from iron_wsgi.testing import FakeClock, RevocationsContract


class FaultyRevocations(Revocations):
    """Two dicts, and one broken promise if `fault` names one."""

    def __init__(self, clock: FakeClock, fault: str) -> None:
        self.clock = clock
        self.fault = fault
        self.ends: dict[str, float] = {}
        self.moments: dict[str, float] = {}
        self.all_before = -1.0
        self.lock = RLock()

    def has(self, fault: str) -> bool:
        return self.fault == fault

    def name(self, text: str) -> str:
        faulty = {
            "takes no account of case": text.lower(),
            "strips": text.strip(),
            "cuts off": text[:1000],
            "ends at the first NUL": text.partition("\x00")[0],
            "takes numbers for numbers": str(int(text)) if text.isdigit() else text,
        }
        return faulty.get(self.fault, text)

    def moment(self, seconds: float) -> float:
        faulty = {"compares seconds": int(seconds), "compares fractions of milliseconds": seconds}
        return faulty.get(self.fault, round(seconds, 3))

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        if self.has("knows everybody"):
            return True
        if self.has("takes nobody for the empty text"):
            subject = subject or ""
        end = self.ends.get(self.name(sid), 0)
        if self.has("takes ids for subjects") and subject is not None:
            end = max(end, self.ends.get(subject, 0))
        if end > self.clock() or (self.has("forgets nothing") and end):
            return True
        issued = self.moment(issued_at)
        before = self.all_before
        if self.has("revokes all with a subject alone") and subject is None:
            before = -1
        if subject is not None:
            before = max(before, self.moments.get(self.name(subject), -1))
        return issued <= before if self.has("revokes what began at the moment") else issued < before

    def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
        has_no_lock = self.has("notes without a lock")
        with nullcontext() if has_no_lock else self.lock:
            sid, at = self.name(sid), self.clock()
            present = self.ends.get(sid, 0)
            is_news = present <= at or self.has("always says that it is news")
            if self.has("lets an entry be news once for good"):
                is_news = not present
            if has_no_lock:
                time.sleep(0.001)
            end = expires_at or at + (3600 if self.has("forgets after an hour") else LONGEST)
            if self.has("refuses what is over") and end <= at:
                raise ValueError
            if self.has("revokes what is over") and end <= at:
                end = at + 60
            self.ends[sid] = end if self.has("takes the last end") else max(end, present)
            return is_news and not self.has("never says that it is news")

    def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
        subject, before = self.name(subject), self.moment(self.clock() if before is None else before)
        if self.has("revokes from the start of time"):
            before += 1000
        former = -1 if self.has("takes the last moment") else self.moments.get(subject, -1)
        self.moments[subject] = max(before, former)

    def revoke_all(self, *, before: float | None = None) -> None:
        before = self.moment(self.clock() if before is None else before)
        self.all_before = (
            before if self.has("takes the last moment for all") else max(before, self.all_before)
        )

    def sweep(self) -> int:
        over = [sid for sid, end in self.ends.items() if end <= self.clock() or self.has("sweeps everything")]
        for sid in over:
            del self.ends[sid]
        if self.has("sweeps subjects"):
            self.moments.clear()
        return len(self.ends) + 5 if self.has("counts what it leaves") else len(over)


class Contract(RevocationsContract):
    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def revocations(self, clock: FakeClock) -> Revocations:
        return FaultyRevocations(clock, self.fault)


PROMISES: Final = sorted(name for name in dir(RevocationsContract) if name.startswith("test_"))

NEWS: Final = "test_a_revocation_is_news_once"
FORGOTTEN: Final = "test_a_revocation_is_forgotten_when_its_time_is_over"
LATE: Final = "test_a_revocation_whose_time_is_over_when_it_comes_revokes_nothing"
BEFORE: Final = "test_sessions_of_a_subject_are_revoked_if_they_began_before_the_moment"
ALL: Final = "test_all_sessions_are_revoked_if_they_began_before_the_moment"
EARLIER: Final = "test_an_earlier_moment_never_weakens_a_later_one"
SUBJECTS: Final = "test_subjects_are_told_apart_whatever_they_are"
IDS: Final = "test_ids_are_told_apart_whatever_they_are"
SWEPT: Final = "test_sweep_removes_what_has_expired_and_nothing_else"

FAULTS: Final = {
    "knows everybody": {"test_nothing_is_revoked_at_first"},
    "takes no account of case": {
        "test_a_session_that_was_revoked_is_revoked_whosever_and_however_old_it_is",
        SUBJECTS,
        IDS,
    },
    "strips": {SUBJECTS, IDS},
    "cuts off": {SUBJECTS, IDS},
    "ends at the first NUL": {SUBJECTS, IDS},
    "takes numbers for numbers": {SUBJECTS, IDS},
    "takes nobody for the empty text": {SUBJECTS},
    "takes ids for subjects": {IDS},
    "compares seconds": {BEFORE, ALL},
    "compares fractions of milliseconds": {BEFORE},
    "revokes what began at the moment": {BEFORE, ALL},
    "revokes all with a subject alone": {ALL},
    "takes the last moment": {EARLIER},
    "takes the last moment for all": {EARLIER},
    "revokes from the start of time": {"test_without_a_moment_what_began_before_now_is_revoked"},
    "forgets nothing": {FORGOTTEN},
    "lets an entry be news once for good": {FORGOTTEN},
    "forgets after an hour": {"test_a_revocation_without_an_end_outlives_every_seal"},
    "takes the last end": {"test_the_longest_of_several_revocations_counts"},
    "refuses what is over": {LATE},
    "revokes what is over": {LATE},
    "always says that it is news": {NEWS},
    "never says that it is news": {NEWS},
    "notes without a lock": {"test_of_parallel_revocations_of_one_session_one_alone_is_news"},
    "sweeps everything": {SWEPT},
    "sweeps subjects": {SWEPT},
    "counts what it leaves": {SWEPT},
}


@pytest.mark.parametrize("promise", PROMISES)
def test_a_list_that_keeps_every_promise_passes_the_contract(promise: str) -> None:
    getattr(Contract(), promise)()


@pytest.mark.parametrize(
    ("fault", "promise"),
    [(fault, promise) for fault, promises in FAULTS.items() for promise in sorted(promises)],
)
def test_the_contract_names_the_promise_that_a_list_breaks(fault: str, promise: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        getattr(Contract(fault), promise)()


def test_every_promise_of_the_contract_can_be_broken() -> None:
    assert set.union(*FAULTS.values()) == set(PROMISES)


class OwnClock(RevocationsContract):
    """As for a server that counts time by itself; what expires is waited for."""

    has_own_clock = True

    def revocations(self, clock: FakeClock) -> Revocations:
        return MemoryRevocations(clock=clock)


class Late(OwnClock):
    """As on a machine so busy that an entry has expired before it can be asked for."""

    _short = 0


@pytest.mark.parametrize("contract", [OwnClock, Late])
@pytest.mark.parametrize("promise", PROMISES)
def test_a_server_with_a_clock_of_its_own_passes_the_contract(
    contract: type[RevocationsContract], promise: str
) -> None:
    getattr(contract(), promise)()


def test_a_server_with_a_clock_of_its_own_that_forgets_nothing_is_noticed() -> None:
    class Endless(OwnClock):
        def revocations(self, clock: FakeClock) -> Revocations:
            del clock
            return MemoryRevocations(clock=FakeClock(0))

    with pytest.raises(AssertionError):
        getattr(Endless(), FORGOTTEN)()


def test_a_contract_without_its_method_fails() -> None:
    with pytest.raises(NotImplementedError):
        RevocationsContract().revocations(FakeClock())
