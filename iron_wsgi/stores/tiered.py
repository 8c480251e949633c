"""This process's memory in front of a shared store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import final

from iron_wsgi.servers.locks import Lock
from iron_wsgi.times import Clock, now, seconds

from .store import Record, Store, StoredSession


@final
class TieredStore(Store):
    """Answers from memory what it has read from another store a moment ago.

    For sessions that are read far more often than written. What this process writes or deletes goes to the
    other store, and is seen here at once. What other processes do may be seen *staleness* seconds late: **a
    session that was ended elsewhere lives on here that long**, and data written elsewhere are old that long.
    No write is lost by that, since the other store compares versions.

    A store that does not answer is an outage here too, but for what memory still answers.
    """

    def __init__(
        self,
        store: Store,
        *,
        staleness: float | timedelta,
        max_records: int = 1000,
        clock: Clock | None = None,
    ) -> None:
        """Put memory in front of *store*.

        Args:
            store: Where the sessions are kept.
            staleness: Seconds for which a record is answered from memory.
            max_records: Records in memory, at most; those not used for longest go first.
            clock: Returns epoch seconds.

        Raises:
            ConfigError: *staleness* is no duration.
        """
        self.atomic = store.atomic
        self._store = store
        self._staleness = seconds(staleness, "staleness")
        self._max_records = max_records
        self._clock = clock
        self._copies: OrderedDict[str, tuple[Record, float]] = OrderedDict()  # and when each was asked for
        # Whoever reads or writes draws a ticket, and leaves a copy if it is still valid when the other store
        # has answered. A writer makes those of others invalid, before and after: otherwise a slow reader
        # could put back what was deleted or written over meanwhile.
        self._tickets: dict[str, object] = {}
        self._lock = Lock()

    def create(self, key: str, record: Record) -> bool:
        """See `Store.create`."""
        return self._write(key, lambda: self._store.create(key, record), record)

    def load(self, key: str) -> Record | None:
        """See `Store.load`. May be as old as *staleness*."""
        at = now(self._clock)
        with self._lock:
            record, asked_at = self._copies.get(key, (None, at))
            if record is not None and 0 <= at - asked_at < self._staleness and _lives(record, at):
                self._copies.move_to_end(key)
                return record
            ticket = self._tickets.setdefault(key, object())  # reading does not disturb reading
        record = None
        try:
            record = self._store.load(key)
        finally:
            with self._lock:
                if self._tickets.get(key) is ticket:
                    del self._tickets[key]
                    self._keep(key, record, at)
        return record

    def save(self, key: str, record: Record, *, version: int) -> bool:
        """See `Store.save`."""
        return self._write(key, lambda: self._store.save(key, record, version=version), record)

    def touch(self, key: str, *, expires_at: float | None) -> bool:
        """See `Store.touch`."""
        return self._write(key, lambda: self._store.touch(key, expires_at=expires_at), None)

    def delete(self, key: str) -> bool:
        """See `Store.delete`."""
        return self._write(key, lambda: self._store.delete(key), None)

    def list_subject(self, subject: str) -> Iterable[StoredSession]:
        """See `Store.list_subject`. Always asked of the other store."""
        return self._store.list_subject(subject)

    def sweep(self) -> int:
        """See `Store.sweep`."""
        return self._store.sweep()

    def _write(self, key: str, write: Callable[[], bool], record: Record | None) -> bool:
        """Write to the other store; where that succeeds, *record* is what it has now."""
        at, ticket, is_done = now(self._clock), object(), False
        with self._lock:
            self._tickets[key] = ticket
        try:
            is_done = write()
        finally:  # a write that failed may have been done all the same
            with self._lock:
                is_valid = self._tickets.pop(key, None) is ticket
                self._keep(key, record if is_done and is_valid else None, at)
        return is_done

    def _keep(self, key: str, record: Record | None, at: float) -> None:
        self._copies.pop(key, None)
        if record is not None:
            self._copies[key] = record, at
        if len(self._copies) > self._max_records:
            self._copies.popitem(last=False)


def _lives(record: Record, at: float) -> bool:
    return record.expires_at is None or record.expires_at > at
