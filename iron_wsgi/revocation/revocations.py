"""What a list of revocations is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from iron_wsgi.times import DAY, FOREVER

MARGIN: Final = DAY
"""Seconds that an entry outlives the last copy of what it revokes: a slow response may still make one."""

LONGEST: Final = FOREVER + MARGIN
"""Seconds that an entry lives which names no single session. Where there are revocations and no absolute
timeout, no seal is made that lives longer than 400 days."""


class Revocations(ABC):
    """Says which sessions are over (ASVS 5.0 7.4.1). Inherit from it to ask a table of your own.

    There is one question, `is_revoked`, asked whenever a session is opened; a list that answers it from the
    application's table of users needs no more. What a method raises is taken as an outage: no session is
    accepted then, unless the option ``on_outage`` says so. Every method may be called from any thread.

    Moments are epoch seconds, compared in whole milliseconds. `iron_wsgi.testing.RevocationsContract` tests
    all that is promised here.
    """

    @abstractmethod
    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        """Tell whether a session is over: by its id, by its subject, or with all that began before a moment.

        Args:
            sid: The session's id.
            subject: Whose it is, as the option ``subject`` says; None where it says nothing.
            issued_at: Epoch seconds at which the session began.

        Raises:
            Refused: With the reason ``"lost"``: the list has lost what it knew, and the session is older than
                that. It is refused, but its cookie is not deleted.
        """

    def is_revoked_now(self, sid: str, subject: str | None, issued_at: float) -> bool:
        """Answer as `is_revoked`, for what something lasting is made of: never from memory."""
        return self.is_revoked(sid, subject, issued_at)

    def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
        """Note that the session *sid* is over, and return whether that is news.

        Of parallel calls with one id, one alone returns True. A list that cannot note single sessions, as
        this one does not, returns False.

        Args:
            sid: The session's id; or the id of a seal that is good for one use.
            expires_at: Epoch seconds at which no copy can live any more; None for 401 days from now.
        """
        del sid, expires_at
        return False

    def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
        """End all sessions of *subject* that began before a moment; now, if none is given.

        To end all but one there is `iron_wsgi.Session.end_others`. A session that is regenerated after this
        call is over too, since nobody can tell it from a thief's slow request.

        Raises:
            NotImplementedError: This list has a way of its own.
        """
        raise NotImplementedError

    def revoke_all(self, *, before: float | None = None) -> None:
        """End all sessions that began before a moment; now, if none is given.

        Raises:
            NotImplementedError: This list has a way of its own.
        """
        raise NotImplementedError

    def sweep(self) -> int:
        """Remove what has expired, and return how much. Nothing where the server does so by itself."""
        return 0
