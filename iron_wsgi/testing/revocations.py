"""What every list of revocations promises."""

from __future__ import annotations

from functools import partial
from typing import Final

from iron_wsgi.revocation import LONGEST, Revocations

from .clock import FakeClock, RealClock
from .promise import at_once, same

ROUNDS: Final = 10
THREADS: Final = 8

ODD: Final = (
    "",
    " ",
    "anna",
    "Anna",
    " anna",
    "anna ",
    "anna\n",
    "anna:1",
    "all",
    "*",
    "%",
    "_",
    "7",
    "07",
    "\x00",
    "anna\x00",
    "\u00e4",
    "a\u0308",
    "\U0001f642",
    "\ud800",
    "x" * 10_000,
    "x" * 10_001,
)
"""Texts, any two of which are different."""


class RevocationsContract:
    """What every list of revocations promises, as tests. Inherit from it, and write one method.

    ::

        class TestMyRevocations(RevocationsContract):
            def revocations(self, clock):
                return MyRevocations(clock=clock)

    It is for lists that note single sessions. One that answers from a table of the application's own, and so
    has `Revocations.is_revoked` alone, is tested by the application.

    Attributes:
        has_own_clock: Whether a server decides what has expired, rather than the clock that is given. The
            clock then tells the machine's time, and what expires is waited for.
    """

    has_own_clock: bool = False

    def revocations(self, clock: FakeClock) -> Revocations:
        """Return an empty list that asks *clock* for the time."""
        raise NotImplementedError

    def _open(self) -> tuple[Revocations, FakeClock]:
        clock = RealClock() if self.has_own_clock else FakeClock()
        return self.revocations(clock), clock

    @property
    def _short(self) -> float:
        """Seconds that can be waited for."""
        return 0.3 if self.has_own_clock else 3600

    def test_nothing_is_revoked_at_first(self) -> None:
        """Whatever its age, and whoever's it is."""
        revocations, clock = self._open()
        for issued_at in (0, clock() - 5, clock(), clock() + 5):
            same(revocations.is_revoked("sid", None, issued_at), False, "a session of nobody's")
            same(revocations.is_revoked("sid", "anna", issued_at), False, "a session of somebody's")

    def test_a_session_that_was_revoked_is_revoked_whosever_and_however_old_it_is(self) -> None:
        """It alone."""
        revocations, clock = self._open()
        revocations.revoke("sid", expires_at=clock() + 3600)
        for subject, issued_at in ((None, 0), ("anna", clock()), ("bert", clock() + 50)):
            same(revocations.is_revoked("sid", subject, issued_at), True, "the session that was revoked")
            same(revocations.is_revoked("SID", subject, issued_at), False, "another session")

    def test_a_revocation_is_news_once(self) -> None:
        """So a seal that is good for one use is consumed once."""
        revocations, clock = self._open()
        found = [revocations.revoke("sid", expires_at=clock() + 3600) for _ in range(3)]
        same(found, [True, False, False], "whether it is news")
        same(revocations.revoke("other"), True, "whether another session's revocation is news")

    def test_of_parallel_revocations_of_one_session_one_alone_is_news(self) -> None:
        """Whenever each shall expire."""
        revocations, clock = self._open()
        for number in range(ROUNDS):
            ends = [clock() + 3600 + thread for thread in range(THREADS)]
            calls = [partial(revocations.revoke, f"sid {number}", expires_at=end) for end in ends]
            same(sorted(at_once(*calls)), [False] * (THREADS - 1) + [True], "whether each was news")
            same(revocations.is_revoked(f"sid {number}", None, clock()), True, "the session")

    def test_a_revocation_is_forgotten_when_its_time_is_over(self) -> None:
        """No copy of the session lives then; the next revocation is news."""
        revocations, clock = self._open()
        end = clock() + self._short
        revocations.revoke("sid", expires_at=end)
        clock.advance(0 if self.has_own_clock else self._short - 0.001)
        found = revocations.is_revoked("sid", None, clock())
        if clock() < end:  # a busy machine may be late
            same(found, True, "a moment before the end")
        clock.advance(self._short if self.has_own_clock else 0.001)
        same(revocations.is_revoked("sid", None, clock()), False, "from the end on")
        same(revocations.revoke("sid", expires_at=clock() + 60), True, "whether it is news again")
        same(revocations.is_revoked("sid", None, clock()), True, "when revoked again")

    def test_the_longest_of_several_revocations_counts(self) -> None:
        """In whatever order they come."""
        revocations, clock = self._open()
        short, long = clock() + self._short, clock() + 7200
        for sid, ends in (("one", (short, long)), ("two", (long, short)), ("three", (long, clock() - 60))):
            for end in ends:
                revocations.revoke(sid, expires_at=end)
        clock.advance(self._short)
        for sid in ("one", "two", "three"):
            same(revocations.is_revoked(sid, None, clock()), True, "after the shorter revocation's end")

    def test_a_revocation_whose_time_is_over_when_it_comes_revokes_nothing(self) -> None:
        """It is no error: a slow request may bring it."""
        revocations, clock = self._open()
        revocations.revoke("sid", expires_at=clock() - 60)
        same(revocations.is_revoked("sid", None, clock()), False, "the session")

    def test_a_revocation_without_an_end_outlives_every_seal(self) -> None:
        """By a day: 401 days."""
        revocations, clock = self._open()
        revocations.revoke("sid")
        revocations.revoke_subject("anna")
        issued_at = clock() - 5
        clock.advance(0 if self.has_own_clock else LONGEST - 1)
        same(revocations.is_revoked("sid", None, issued_at), True, "a session revoked by its id")
        same(revocations.is_revoked("other", "anna", issued_at), True, "a session revoked by its subject")

    def test_sessions_of_a_subject_are_revoked_if_they_began_before_the_moment(self) -> None:
        """In whole milliseconds: what began in the same one lives on, such as a session just regenerated."""
        revocations, clock = self._open()
        moment = int(clock()) + 0.123
        revocations.revoke_subject("anna", before=moment + 0.0002)
        ages = {-1.0: True, -0.001: True, -0.0002: False, 0.0: False, 0.0002: False, 0.001: False}
        for age, expected in ages.items():
            found = revocations.is_revoked("sid", "anna", moment + age)
            same(found, expected, f"a session that began {age} s after the moment")
        same(revocations.is_revoked("sid", "anna", 0), True, "a session that began in 1970")
        for other in (None, "bert"):
            same(revocations.is_revoked("sid", other, 0), False, "a session of nobody's or another's")

    def test_an_earlier_moment_never_weakens_a_later_one(self) -> None:
        """Revocations may come in another order than they were made."""
        revocations, clock = self._open()
        for before in (clock() - 50, clock() - 10, clock() - 30):
            revocations.revoke_subject("anna", before=before)
            revocations.revoke_all(before=before - 100)
        same(revocations.is_revoked("sid", "anna", clock() - 11), True, "of the subject")
        same(revocations.is_revoked("sid", "anna", clock() - 9), False, "of the subject, later")
        same(revocations.is_revoked("sid", None, clock() - 111), True, "of all")
        same(revocations.is_revoked("sid", None, clock() - 109), False, "of all, later")

    def test_all_sessions_are_revoked_if_they_began_before_the_moment(self) -> None:
        """With or without a subject."""
        revocations, clock = self._open()
        moment = int(clock()) + 0.123
        revocations.revoke_all(before=moment)
        for subject in (None, "", "anna"):
            for age, expected in ((-1e6, True), (-0.001, True), (0.0, False), (0.001, False)):
                found = revocations.is_revoked("sid", subject, moment + age)
                same(found, expected, f"a session that began {age} s after the moment")

    def test_without_a_moment_what_began_before_now_is_revoked(self) -> None:
        """By subject, and all."""
        revocations, clock = self._open()
        began, begins = clock() - 1, clock() + 60
        for revoke, subject in (
            (partial(revocations.revoke_subject, "anna"), "anna"),
            (revocations.revoke_all, None),
        ):
            same(revocations.is_revoked("sid", subject, began), False, "before the revocation")
            revoke()
            same(revocations.is_revoked("sid", subject, began), True, "a session that began before")
            same(revocations.is_revoked("sid", subject, begins), False, "a session that begins later")

    def test_subjects_are_told_apart_whatever_they_are(self) -> None:
        """By every character; the empty text is one too, and none of them stands for all."""
        revocations, clock = self._open()
        for count, odd in enumerate(ODD, 1):
            revocations.revoke_subject(odd, before=clock())
            found = [revocations.is_revoked("sid", other, 0) for other in (None, *ODD)]
            expected = [False, *(number < count for number in range(len(ODD)))]
            same(found, expected, f"which sessions are revoked after {odd!r:.20}")

    def test_ids_are_told_apart_whatever_they_are(self) -> None:
        """By every character, and from subjects."""
        revocations, clock = self._open()
        for count, odd in enumerate(ODD, 1):
            revocations.revoke(odd, expires_at=clock() + 3600)
            found = [revocations.is_revoked(other, None, clock()) for other in ODD]
            same(
                found, [number < count for number in range(len(ODD))], f"which are revoked after {odd!r:.20}"
            )
            same(revocations.is_revoked("sid", odd, 0), False, "a session of a subject that is called so")
        revocations.revoke_subject("sid")
        same(revocations.is_revoked("sid", None, 0), False, "a session that is called as a subject is")

    def test_sweep_removes_what_has_expired_and_nothing_else(self) -> None:
        """It counts 0 where the server does so by itself."""
        revocations, clock = self._open()
        issued_at = clock() - 5
        revocations.revoke("brief", expires_at=clock() + self._short)
        revocations.revoke("long", expires_at=clock() + 7200)
        revocations.revoke("endless")
        revocations.revoke_subject("anna")
        revocations.revoke_all(before=issued_at - 100)
        clock.advance(self._short)
        same(revocations.sweep() in {0, 1}, True, "whether sweep() counts what has expired, or 0")
        same(revocations.sweep(), 0, "sweep() where nothing has expired since")
        left = {
            sid: revocations.is_revoked(sid, subject, moment)
            for sid, subject, moment in (
                ("brief", None, issued_at),
                ("long", None, issued_at),
                ("endless", None, issued_at),
                ("anna's", "anna", issued_at),
                ("old", None, issued_at - 101),
            )
        }
        expected = {"brief": False, "long": True, "endless": True, "anna's": True, "old": True}
        same(left, expected, "which sessions are revoked")
