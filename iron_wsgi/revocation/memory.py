"""Revocations in this process's memory."""

from __future__ import annotations

from typing import Final, final

from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.servers.locks import Lock
from iron_wsgi.times import Clock, milliseconds, now

from .revocations import LONGEST, Revocations

_ALL: Final = "all"


@final
class MemoryRevocations(Revocations):
    """Keeps the list in this process: for tests and for development.

    Other processes do not see it, and it is gone when this one ends. Not bounded: an entry that is forgotten
    would let a session back in.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        """Begin an empty list; *clock* returns epoch seconds."""
        self._ends: dict[str, float] = {}  # of sessions, by key: when the entry expires
        self._moments: dict[str, tuple[int, float]] = {}  # of subjects: before when (ms), and when it expires
        self._clock = clock
        self._lock = Lock()

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        """See `Revocations.is_revoked`."""
        at, issued = now(self._clock), milliseconds(issued_at)
        names = [_ALL] if subject is None else [_ALL, subject_key_of(subject)]
        with self._lock:
            if self._ends.get(key_of(sid), 0) > at:
                return True
            moments = [self._moments[name] for name in names if name in self._moments]
        return any(issued < before and end > at for before, end in moments)

    def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
        """See `Revocations.revoke`."""
        at, key = now(self._clock), key_of(sid)
        end = at + LONGEST if expires_at is None else expires_at
        with self._lock:
            present = self._ends.get(key, 0)
            self._ends[key] = max(end, present)
            return present <= at

    def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
        """See `Revocations.revoke_subject`."""
        self._revoke_before(subject_key_of(subject), before)

    def revoke_all(self, *, before: float | None = None) -> None:
        """See `Revocations.revoke_all`."""
        self._revoke_before(_ALL, before)

    def _revoke_before(self, name: str, before: float | None) -> None:
        at = now(self._clock)
        moment = milliseconds(at if before is None else before)
        with self._lock:
            former, _ = self._moments.get(name, (moment, at))
            self._moments[name] = max(moment, former), max(at, moment / 1000) + LONGEST

    def sweep(self) -> int:
        """See `Revocations.sweep`."""
        at = now(self._clock)
        with self._lock:
            sessions = [key for key, end in self._ends.items() if end <= at]
            subjects = [name for name, (_, end) in self._moments.items() if end <= at]
            for key in sessions:
                del self._ends[key]
            for name in subjects:
                del self._moments[name]
        return len(sessions) + len(subjects)

    def __len__(self) -> int:
        """Return how many entries there are, those that have expired among them."""
        return len(self._ends) + len(self._moments)
