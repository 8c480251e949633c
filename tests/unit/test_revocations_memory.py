"""The list in memory, beyond the contract; and what a list is that answers from a table of its own."""

from __future__ import annotations

import pytest

from iron_wsgi.revocation import LONGEST, MemoryRevocations, Revocations
from iron_wsgi.testing import FakeClock


def test_sweep_says_how_much_has_expired_and_leaves_the_rest(clock: FakeClock) -> None:
    revocations = MemoryRevocations(clock=clock)
    revocations.revoke("brief", expires_at=clock() + 60)
    revocations.revoke("long")
    revocations.revoke_subject("anna")
    revocations.revoke_all()
    assert len(revocations) == 4
    clock.advance(60)
    assert (revocations.sweep(), len(revocations)) == (1, 3)
    clock.advance(LONGEST - 60)
    assert (revocations.sweep(), len(revocations)) == (3, 0)


def test_a_moment_is_kept_for_as_long_as_a_session_may_live_from_the_last_revocation_on(
    clock: FakeClock,
) -> None:
    revocations = MemoryRevocations(clock=clock)
    issued_at = clock() - 5
    revocations.revoke_subject("anna")
    clock.advance(LONGEST - 1)
    revocations.revoke_subject("anna", before=issued_at - 5)
    clock.advance(LONGEST - 1)
    assert revocations.is_revoked("sid", "anna", issued_at)
    clock.advance(1)
    assert not revocations.is_revoked("sid", "anna", issued_at)


def test_without_a_clock_the_list_asks_the_machines() -> None:
    revocations = MemoryRevocations()
    assert revocations.revoke("sid")
    assert revocations.is_revoked("sid", None, 0)


def test_neither_ids_nor_subjects_are_kept_as_they_are(clock: FakeClock) -> None:
    revocations = MemoryRevocations(clock=clock)
    revocations.revoke("the-id")
    revocations.revoke_subject("anna")
    kept = str(vars(revocations))
    assert "the-id" not in kept
    assert "anna" not in kept


class UsersTable(Revocations):
    """As an application writes it over a table that it has."""

    def __init__(self) -> None:
        self.signed_out_at = {"7": 1000.0}

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        del sid
        return subject is not None and issued_at < self.signed_out_at.get(subject, 0)


def test_a_list_that_answers_from_a_table_of_its_own_needs_one_method() -> None:
    revocations = UsersTable()
    assert revocations.is_revoked("sid", "7", 999)
    assert not revocations.is_revoked("sid", "8", 999)
    assert revocations.revoke("sid") is False
    assert revocations.sweep() == 0
    with pytest.raises(NotImplementedError):
        revocations.revoke_subject("7")
    with pytest.raises(NotImplementedError):
        revocations.revoke_all()
