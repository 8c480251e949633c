"""A memory in front of a list: what it remembers, for how long, and what it never does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from iron_wsgi.errors import ConfigError, Refused
from iron_wsgi.revocation import CachedRevocations, MemoryRevocations, Revocations
from iron_wsgi.testing import FakeClock

from .visitor import NOW


class Asked(Revocations):
    """Another list, which notes how often it is asked, and fails as it is told to."""

    def __init__(self, clock: FakeClock) -> None:
        self.inner = MemoryRevocations(clock=clock)
        self.times = 0
        self.failure: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        self.times += 1
        self._fail()
        answer = self.inner.is_revoked(sid, subject, issued_at)
        self.meanwhile()
        return answer

    def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
        is_news = self.inner.revoke(sid, expires_at=expires_at)
        self._fail()
        return is_news

    def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
        self.inner.revoke_subject(subject, before=before)
        self._fail()

    def revoke_all(self, *, before: float | None = None) -> None:
        self.inner.revoke_all(before=before)
        self._fail()

    def sweep(self) -> int:
        return self.inner.sweep()


@pytest.fixture
def asked(clock: FakeClock) -> Asked:
    return Asked(clock)


def cached(asked: Asked, **settings: Any) -> CachedRevocations:
    return CachedRevocations(asked, clock=asked.inner._clock, **settings)


def test_by_default_the_list_is_asked_each_time(asked: Asked) -> None:
    revocations = cached(asked)
    for _ in range(3):
        assert not revocations.is_revoked("sid", None, 0)
    assert asked.times == 3
    assert len(revocations._asked) == 0
    asked.inner.revoke("sid")
    assert revocations.is_revoked("sid", None, 0)


@pytest.mark.parametrize("staleness", [5, timedelta(seconds=5)])
def test_that_a_session_is_not_revoked_is_remembered_for_the_staleness(
    asked: Asked, clock: FakeClock, staleness: float
) -> None:
    revocations = cached(asked, staleness=staleness)
    assert not revocations.is_revoked("sid", "anna", 0)
    asked.inner.revoke("sid")
    clock.advance(4.999)
    assert not revocations.is_revoked("sid", "anna", 0)
    assert asked.times == 1
    clock.advance(0.001)
    assert revocations.is_revoked("sid", "anna", 0)
    assert asked.times == 2


def test_the_staleness_counts_from_before_the_list_was_asked(asked: Asked, clock: FakeClock) -> None:
    revocations = cached(asked, staleness=5)
    asked.meanwhile = lambda: clock.advance(3)
    assert not revocations.is_revoked("sid", None, 0)
    asked.inner.revoke("sid")
    clock.advance(2)
    assert revocations.is_revoked("sid", None, 0)


def test_a_clock_that_is_set_back_does_not_make_an_answer_last_longer(asked: Asked, clock: FakeClock) -> None:
    revocations = cached(asked, staleness=5)
    assert not revocations.is_revoked("sid", None, 0)
    asked.inner.revoke("sid", expires_at=clock() + 9000)
    clock.advance(-3600)
    assert revocations.is_revoked("sid", None, 0)


def test_each_session_is_asked_about_for_itself(asked: Asked, clock: FakeClock) -> None:
    revocations = cached(asked, staleness=5)
    asked.inner.revoke_subject("anna")
    old, new = clock() - 5, clock() + 5
    sessions = [
        ("sid", None, old),
        ("sid", "", old),
        ("sid", "bert", old),
        ("sid", "anna", new),
        ("2", "anna", new),
    ]
    for _ in range(2):
        assert not any(revocations.is_revoked(*session) for session in sessions)
        assert revocations.is_revoked("sid", "anna", old)
    assert asked.times == len(sessions) + 1


def test_that_a_session_is_revoked_is_remembered_for_good(asked: Asked, clock: FakeClock) -> None:
    revocations = cached(asked)
    asked.inner.revoke("sid", expires_at=clock() + 60)
    assert revocations.is_revoked("sid", None, 0)
    clock.advance(3600)
    asked.failure = OSError()
    assert revocations.is_revoked("sid", None, 0)
    assert asked.times == 1


def test_what_is_revoked_here_is_seen_here_at_once(asked: Asked, clock: FakeClock) -> None:
    revocations = cached(asked, staleness=3600)
    sessions = ("sid", None), ("other", "anna"), ("third", None)
    issued_at = clock() - 5

    def answers() -> list[bool]:
        return [revocations.is_revoked(*session, issued_at) for session in sessions]

    assert answers() == [False, False, False]
    assert revocations.revoke("sid")
    assert answers() == [True, False, False]
    revocations.revoke_subject("anna")
    assert answers() == [True, True, False]
    revocations.revoke_all()
    assert answers() == [True, True, True]


def test_what_is_revoked_while_the_list_is_asked_is_not_missed(asked: Asked, clock: FakeClock) -> None:
    changes: list[Callable[[CachedRevocations], object]] = [
        lambda revocations: revocations.revoke("sid"),
        lambda revocations: revocations.revoke_subject("anna"),
        lambda revocations: revocations.revoke_all(),
    ]
    for change in changes:
        asked = Asked(clock)
        revocations = cached(asked, staleness=3600)

        def meanwhile(
            change: Callable[[CachedRevocations], object] = change,
            revocations: CachedRevocations = revocations,
        ) -> None:
            change(revocations)

        asked.meanwhile = meanwhile
        assert not revocations.is_revoked("sid", "anna", clock() - 5)  # asked before, answered after
        assert revocations.is_revoked("sid", "anna", clock() - 5)


def test_a_revocation_that_failed_may_have_been_noted(asked: Asked, clock: FakeClock) -> None:
    changes: list[Callable[[CachedRevocations], object]] = [
        lambda revocations: revocations.revoke("sid"),
        lambda revocations: revocations.revoke_subject("anna"),
        lambda revocations: revocations.revoke_all(),
    ]
    for change in changes:
        asked = Asked(clock)
        revocations = cached(asked, staleness=3600)
        assert not revocations.is_revoked("sid", "anna", clock() - 5)
        asked.failure = TimeoutError()
        with pytest.raises(TimeoutError):
            change(revocations)
        asked.failure = None
        assert revocations.is_revoked("sid", "anna", clock() - 5)


@pytest.mark.parametrize("failure", [OSError(), Refused("lost")])
def test_neither_an_outage_nor_a_loss_is_remembered(asked: Asked, failure: Exception) -> None:
    revocations = cached(asked, staleness=3600)
    asked.failure = failure
    for _ in range(2):
        with pytest.raises(type(failure)):
            revocations.is_revoked("sid", None, 0)
    asked.failure = None
    assert not revocations.is_revoked("sid", None, 0)


def test_whether_a_revocation_is_news_is_asked_of_the_list(asked: Asked) -> None:
    revocations = cached(asked)
    asked.inner.revoke("sid")
    assert not revocations.revoke("sid")
    assert revocations.revoke("other")
    assert not revocations.revoke("other")


def test_the_memory_is_bounded_and_what_it_forgot_is_asked_again(asked: Asked) -> None:
    revocations = cached(asked, staleness=3600, max_entries=2)
    for sid in ("gone 1", "gone 2", "gone 3"):
        revocations.revoke(sid)
    for sid in ("1", "2", "3"):
        assert not revocations.is_revoked(sid, None, 0)
    assert asked.times == 3
    assert [len(revocations._ends), len(revocations._asked)] == [2, 2]
    for sid in ("gone 2", "gone 3", "2", "3"):
        revocations.is_revoked(sid, None, 0)
    assert asked.times == 3
    assert revocations.is_revoked("gone 1", None, 0)
    assert not revocations.is_revoked("1", None, 0)
    assert asked.times == 5


def test_what_was_asked_for_last_is_remembered_longest(asked: Asked, clock: FakeClock) -> None:
    revocations = cached(asked, staleness=5, max_entries=2)
    revocations.is_revoked("1", None, 0)
    clock.advance(4)
    revocations.is_revoked("2", None, 0)
    clock.advance(1)
    for sid in ("1", "3"):
        revocations.is_revoked(sid, None, 0)
    assert asked.times == 4
    revocations.is_revoked("1", None, 0)
    assert asked.times == 4


def test_sweep_is_the_lists_own(asked: Asked, clock: FakeClock) -> None:
    asked.inner.revoke("sid", expires_at=clock() + 60)
    clock.advance(60)
    assert cached(asked).sweep() == 1


def test_the_staleness_is_a_duration(asked: Asked) -> None:
    with pytest.raises(ConfigError, match="staleness"):
        cached(asked, staleness=-1)


def test_its_memory_is_in_no_repr(asked: Asked) -> None:
    revocations = cached(asked)
    revocations.revoke("the-id")
    assert "the-id" not in repr(revocations)


def test_what_decides_about_a_write_is_never_answered_from_memory(clock: FakeClock) -> None:
    inner = MemoryRevocations(clock=clock)
    cached = CachedRevocations(inner, staleness=60, clock=clock)
    assert not cached.is_revoked("a", "7", NOW - 5)
    inner.revoke_subject("7", before=NOW)
    assert not cached.is_revoked("a", "7", NOW - 5)
    assert cached.is_revoked_now("a", "7", NOW - 5)


def test_a_list_that_notes_no_single_sessions_is_believed() -> None:
    class Users(Revocations):
        def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
            return bool(sid and subject and issued_at)

    cached = CachedRevocations(Users(), staleness=60)
    assert not cached.revoke("a")
    assert not cached.is_revoked("a", None, 0)
