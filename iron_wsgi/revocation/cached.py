"""A memory of what a list of revocations has answered."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, TypeAlias, TypeVar, final

from iron_wsgi.servers.locks import Lock
from iron_wsgi.times import Clock, milliseconds, now, seconds

from .revocations import LONGEST, Revocations

MANY: Final = 10_000
"""Answers of each kind that are remembered unless another bound is given."""

Question: TypeAlias = "tuple[str, str | None, int]"
K = TypeVar("K")


@final
class CachedRevocations(Revocations):
    """Asks a list of revocations less often.

    That a session is revoked is remembered for good, since it never lives again. That it is not is remembered
    for *staleness* seconds: **a session that was revoked elsewhere lives on here that long**. With 0, the
    default, the list is asked each time. What is revoked through this object is seen here at once. An outage
    is never remembered.
    """

    def __init__(
        self,
        revocations: Revocations,
        *,
        staleness: float | timedelta = 0,
        max_entries: int = MANY,
        clock: Clock | None = None,
    ) -> None:
        """Remember what *revocations* answers.

        Args:
            revocations: The list.
            staleness: Seconds for which a session that was not revoked is not asked about again.
            max_entries: Answers of each kind, at most; the oldest go first, and are asked for again.
            clock: Returns epoch seconds.

        Raises:
            ConfigError: *staleness* is no duration.
        """
        self._revocations = revocations
        self._staleness = seconds(staleness, "staleness")
        self._max_entries = max_entries
        self._clock = clock
        self._ends: OrderedDict[str | Question, float] = OrderedDict()  # of what is revoked
        self._asked: OrderedDict[Question, float] = (
            OrderedDict()
        )  # what was not revoked, and when it was asked
        self._changes = 0
        self._lock = Lock()

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        """See `Revocations.is_revoked`. That a session is not revoked may be as old as *staleness*."""
        at, question = now(self._clock), (sid, subject, milliseconds(issued_at))
        with self._lock:
            if max(self._ends.get(sid, 0), self._ends.get(question, 0)) > at:
                return True
            asked_at = self._asked.get(question, math.inf)
            if 0 <= at - asked_at < self._staleness:
                return False
            changes = self._changes
        is_revoked = self._revocations.is_revoked(sid, subject, issued_at)
        with self._lock:
            if is_revoked:
                self._keep(self._ends, question, math.inf)
            elif self._staleness and changes == self._changes:  # the answer may be older than the change
                self._keep(self._asked, question, at)
        return is_revoked

    def is_revoked_now(self, sid: str, subject: str | None, issued_at: float) -> bool:
        """See `Revocations.is_revoked_now`."""
        return self._revocations.is_revoked_now(sid, subject, issued_at)

    def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
        """See `Revocations.revoke`."""
        end = now(self._clock) + LONGEST if expires_at is None else expires_at
        with self._changing():
            is_news = self._revocations.revoke(sid, expires_at=expires_at)
            # Some lists note no single sessions, and so know of none; who asks anew learns of the others.
            if is_news:
                with self._lock:
                    self._keep(self._ends, sid, max(end, self._ends.get(sid, 0)))
        return is_news

    def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
        """See `Revocations.revoke_subject`."""
        with self._changing():
            self._revocations.revoke_subject(subject, before=before)

    def revoke_all(self, *, before: float | None = None) -> None:
        """See `Revocations.revoke_all`."""
        with self._changing():
            self._revocations.revoke_all(before=before)

    def sweep(self) -> int:
        """See `Revocations.sweep`."""
        return self._revocations.sweep()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Forget what was not revoked, also if the list fails: it may have noted the change all the same."""
        try:
            yield
        finally:
            with self._lock:
                self._changes += 1
                self._asked.clear()

    def _keep(self, memory: OrderedDict[K, float], key: K, value: float) -> None:
        memory[key] = value
        memory.move_to_end(key)
        if len(memory) > self._max_entries:
            memory.popitem(last=False)
