"""What a store of sessions is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import final

from iron_wsgi.servers.ids import key_of, subject_key_of


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One session as a store keeps it. A store looks into none of it.

    Attributes:
        value: The encrypted session: ASCII text.
        version: Tells one writing from another; an integer below 2^53, chosen by whoever writes.
        subject: Whose session it is, as `iron_wsgi.servers.ids.subject_key_of` names him; empty for nobody's.
        created_at: Epoch seconds at which the session began.
        written_at: Epoch seconds of this writing.
        expires_at: Epoch seconds from which on the record is gone; None for never.
    """

    value: str = field(repr=False)
    version: int
    subject: str = ""
    created_at: float
    written_at: float
    expires_at: float | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """One session of somebody's, for a list of his devices (ASVS 5.0 7.5.2).

    Attributes:
        key: Its name in the store. Not the session's id: it may be shown, and `Store.delete` ends the session
            by it.
        created_at: Epoch seconds at which the session began.
        written_at: Epoch seconds at which it was last written.
        expires_at: Epoch seconds at which its record goes; None for never.
        is_current: Whether it is the session that was asked about.
    """

    key: str
    created_at: float
    written_at: float
    expires_at: float | None
    is_current: bool = False


class Store(ABC):
    """Keeps records by their keys. Inherit from it to keep sessions elsewhere.

    Keys, values and subjects come hashed and encrypted: a store never sees a session's id or its data. Every
    method may be called from any thread. What a method raises is taken as an outage.
    `iron_wsgi.testing.StoreContract` tests all that is promised here.

    Attributes:
        atomic: Whether `create` and `save` compare and write in one step, so that of parallel writers none is
            lost unseen. Where it is False they may be: the last one wins.
    """

    atomic: bool = True

    @abstractmethod
    def create(self, key: str, record: Record) -> bool:
        """Keep *record* under *key* if there is none. Return whether it was kept; never overwrite."""

    @abstractmethod
    def load(self, key: str) -> Record | None:
        """Return the record under *key*; None if there is none, or its time is over."""

    @abstractmethod
    def save(self, key: str, record: Record, *, version: int) -> bool:
        """Put *record* in the place of the one under *key*, if that has this *version*.

        Returns whether it did. A record that was deleted, or has expired, is never brought back.
        """

    @abstractmethod
    def touch(self, key: str, *, expires_at: float | None) -> bool:
        """Let the record under *key* live until *expires_at*. Return whether there is one.

        Neither its value nor its version changes.
        """

    @abstractmethod
    def delete(self, key: str) -> bool:
        """Remove the record under *key*. Return whether there was one."""

    @abstractmethod
    def list_subject(self, subject: str) -> Iterable[StoredSession]:
        """Return the living sessions of *subject*, in any order. It comes hashed, as in `Record.subject`.

        A store may learn of a new session a moment after it was created; one that is over never appears.
        """

    def sweep(self) -> int:
        """Remove what has expired, and return how much. Nothing where the server does so by itself."""
        return 0

    @final
    def sessions_of(self, subject: str, *, current: str | None = None) -> list[StoredSession]:
        """Return somebody's living sessions, the latest first.

        Args:
            subject: Whose: what the option ``subject`` yields, as text.
            current: The id of the session that asks (``session.sid``), to have it marked.
        """
        here = None if current is None else key_of(current)
        listed = (
            replace(session, is_current=session.key == here)
            for session in self.list_subject(subject_key_of(subject))
        )
        return sorted(listed, key=lambda session: (session.created_at, session.key), reverse=True)

    @final
    def end_sessions_of(self, subject: str, *, keep: str | None = None) -> int:
        """Delete somebody's sessions, and return how many there were.

        One that is created at the same moment may be missed; a revocation of the subject misses none.

        Args:
            subject: Whose.
            keep: The id of a session that shall live on (``session.sid``).
        """
        sessions = self.sessions_of(subject, current=keep)
        return sum(self.delete(session.key) for session in sessions if not session.is_current)
